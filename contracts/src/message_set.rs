//! Enums whose variants have explicit names on the wire and in the store.

use serde_json::value::RawValue;

/// Messages of several types, each under a name of its own.
///
/// Made by [`message_set!`](crate::message_set). Renaming a Rust type never changes a name.
pub trait MessageSet: Sized {
    /// Every name, in the order of declaration.
    const NAMES: &'static [&'static str];

    /// The name of this message's type.
    fn type_name(&self) -> &'static str;

    /// The message as JSON, without its type.
    ///
    /// # Errors
    /// When the message cannot be written as JSON, which no message of this crate does.
    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error>;

    /// Reads back what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`DecodeError::UnknownType`] for a name that is not in [`NAMES`](Self::NAMES);
    /// [`DecodeError::Malformed`] when the JSON does not fit the type of that name.
    fn decode(type_name: &str, data: &RawValue) -> Result<Self, DecodeError>;
}

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Nobody here knows this type.
    #[error("unknown message type {0:?}")]
    UnknownType(String),
    /// The content does not fit the type.
    #[error("a {type_name} that cannot be read: {reason}")]
    Malformed {
        /// The message's type.
        type_name: String,
        /// What does not fit, with line and column.
        reason: String,
    },
    /// The content is about another shipment than the message is addressed to.
    #[error("it is addressed to {subject:?}, and its shipmentId is {names:?}")]
    Misaddressed {
        /// Whom the message is addressed to.
        subject: String,
        /// Whom the content names.
        names: String,
    },
}

/// Declares an enum of messages and implements [`MessageSet`] for it.
///
/// ```
/// use contracts::{MessageSet, message_set};
///
/// #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// pub struct Paid { amount: u32 }
///
/// message_set! {
///     /// What happens to an order.
///     pub enum OrderEvent {
///         Paid(Paid) = "OrderPaid",
///     }
/// }
///
/// let event = OrderEvent::from(Paid { amount: 7 });
/// assert_eq!(event.type_name(), "OrderPaid");
/// assert_eq!(event.encode().unwrap().get(), r#"{"amount":7}"#);
/// ```
#[macro_export]
macro_rules! message_set {
    ($(#[$meta:meta])* pub enum $set:ident {
        $($(#[$variant_meta:meta])* $variant:ident($payload:ty) = $name:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $set {
            $(
                #[doc = concat!("`", $name, "`.")]
                $(#[$variant_meta])*
                $variant($payload),
            )+
        }

        $(impl From<$payload> for $set {
            fn from(payload: $payload) -> Self {
                Self::$variant(payload)
            }
        })+

        impl $crate::MessageSet for $set {
            const NAMES: &'static [&'static str] = &[$($name),+];

            fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)+
                }
            }

            fn encode(
                &self,
            ) -> Result<Box<$crate::__private::RawValue>, $crate::__private::JsonError> {
                match self {
                    $(Self::$variant(payload) => $crate::__private::to_raw_value(payload),)+
                }
            }

            fn decode(
                type_name: &str,
                data: &$crate::__private::RawValue,
            ) -> Result<Self, $crate::DecodeError> {
                match type_name {
                    $($name => $crate::__private::from_str(data.get())
                        .map(Self::$variant)
                        .map_err(|error| $crate::DecodeError::Malformed {
                            type_name: type_name.to_owned(),
                            reason: error.to_string(),
                        }),)+
                    _ => Err($crate::DecodeError::UnknownType(type_name.to_owned())),
                }
            }
        }
    };
}
