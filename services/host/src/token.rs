//! Tokens, of which only hashes are kept.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a token. A token is drawn at random and long, so that a fast hash is enough: nobody can
/// try all of them.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Whether both are the same. It takes as long whether they are or not.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// As 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        // What is wrong may be the token itself, and is not repeated.
        const WRONG: &str =
            "must be the 64 hexadecimal digits of the token's SHA-256, and not the token";
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let digits: Option<Vec<_>> = digits.as_bytes().iter().map(digit).collect();
        let pairs = digits.ok_or(WRONG)?;
        let bytes: Vec<_> = pairs
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .filter_map(|byte| u8::try_from(byte).ok())
            .collect();
        match <[u8; 32]>::try_from(bytes) {
            Ok(hash) if pairs.len() == 64 => Ok(Self(hash)),
            Ok(_) | Err(_) => Err(WRONG),
        }
    }
}

/// Settings are logged, and hashes are not.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the token `longhaul`, as sha256sum prints it.
    const DIGITS: &str = "0fc573d1b14c00b6ce10d3ccdc125224ea8938b18f5dd0464600e9ad6e53bad9";

    #[test]
    fn a_hash_is_that_of_its_token_only() {
        let read = TokenHash::try_from(DIGITS.to_owned()).unwrap();
        assert!(read.is(&TokenHash::of("longhaul")));
        assert!(!read.is(&TokenHash::of("longhau1")));
        assert_eq!(read.to_hex(), DIGITS);
        let capitals = TokenHash::try_from(DIGITS.to_uppercase()).unwrap();
        assert!(capitals.is(&read));
    }

    #[test]
    fn what_is_no_hash_is_refused_without_repeating_it() {
        for wrong in [
            "",
            "longhaul",
            &DIGITS[1..],
            &format!("{DIGITS}0"),
            &"é".repeat(32),
        ] {
            let refused = TokenHash::try_from(wrong.to_owned()).unwrap_err();
            assert!(refused.contains("64 hexadecimal digits"), "{wrong}");
        }
    }

    #[test]
    fn a_hash_is_not_shown() {
        assert_eq!(format!("{:?}", TokenHash::of("longhaul")), "[REDACTED]");
    }
}
