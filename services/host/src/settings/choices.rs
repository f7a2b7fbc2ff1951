//! Settings of which the value is one of a few names.

/// Reads a choice by its name, and names all of them where there is none of that name.
macro_rules! choices {
    ($type:ident: $($name:literal => $choice:ident),+) => {
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(name: String) -> Result<Self, Self::Error> {
                match name.as_str() {
                    $($name => Ok(Self::$choice),)+
                    _ => Err(format!("there is no {name:?}, but {}", [$($name),+].join(", "))),
                }
            }
        }
    };
}

pub(crate) use choices;
