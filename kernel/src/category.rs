//! The names under which processes are registered.

use std::fmt;

/// A process category and its version: `domestic-1.0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Category(String);

/// Why a text is no [`Category`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no process category: it would be a name, '-' and a version, as in domestic-1.0")]
pub struct InvalidCategory(String);

impl Category {
    /// # Errors
    /// [`InvalidCategory`] unless the text is a name, `-` and a version of digits and dots.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidCategory> {
        let text = text.into();
        let valid = text.rsplit_once('-').is_some_and(|(name, version)| {
            !name.is_empty()
                && version.starts_with(|c: char| c.is_ascii_digit())
                && version.chars().all(|c| c.is_ascii_digit() || c == '.')
        });
        if valid {
            Ok(Self(text))
        } else {
            Err(InvalidCategory(text))
        }
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_has_a_name_and_a_version() {
        for text in ["domestic-1.0", "two-words-2", "x-10.2.3"] {
            assert_eq!(Category::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "domestic", "domestic-", "-1.0", "domestic-v1"] {
            assert!(Category::parse(text).is_err(), "{text}");
        }
    }
}
