//! `longhaul token`: makes a token, and shows it this once.

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use contracts::Actor;
use host::TokenHash;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Make a token for the HTTP API: print it, this once, and the settings that let in whoever has it
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Whose it is: what is asked for with it is recorded under this name
    name: String,
    /// What it allows
    #[arg(long, value_enum, default_value_t = Role::Read)]
    role: Role,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// To look (GET)
    Read,
    /// Everything
    Operate,
}

impl Role {
    /// As the settings have it.
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
        }
    }
}

impl Token {
    #[expect(clippy::print_stdout, reason = "this is what the command is for")]
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let token = draw()?;
        println!("{}", self.said_of(&token)?);
        Ok(())
    }

    /// # Errors
    /// For a name that the settings would refuse.
    fn said_of(&self, token: &str) -> anyhow::Result<String> {
        let name = Actor::parse(self.name.clone())?;
        let (role, sha256) = (self.role.name(), TokenHash::of(token).to_hex());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let fits = name.as_str().bytes().all(plain) && !name.as_str().contains("__");
        if !fits {
            bail!(
                "{name:?} cannot be the name of a setting: use a-z, 0-9 and _ (and no two of these in a row)"
            );
        }
        let variable = format!("LONGHAUL__HTTP__TOKENS__{}", name.as_str().to_uppercase());
        Ok(format!(
            "The token of {name}. It is shown this once, and kept nowhere:

  {token}

Send it as `Authorization: Bearer {token}`.

To let it in, in a file for --config (its hash only; nobody can ask with that):

  [http.tokens.{name}]
  role = \"{role}\"
  sha256 = \"{sha256}\"

or in the environment:

  {variable}__ROLE={role}
  {variable}__SHA256={sha256}"
        ))
    }
}

/// 256 random bits. The beginning keeps it apart from its hash, and lets a search for leaked secrets find it.
fn draw() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    OsRng
        .try_fill_bytes(&mut bytes)
        .context("the operating system has no random numbers")?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("longhaul_{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str) -> anyhow::Result<String> {
        let name = name.to_owned();
        let role = Role::Operate;
        Token { name, role }.said_of("secret")
    }

    #[test]
    fn a_name_must_fit_into_the_name_of_a_setting() {
        for name in ["ada", "ada_2"] {
            assert!(
                said(name)
                    .unwrap()
                    .contains(&format!("[http.tokens.{name}]"))
            );
        }
        for name in ["", "Ada", "ada lovelace", "a.b", "a__b", "ä", "a\"b"] {
            assert!(said(name).is_err(), "{name}");
        }
    }

    #[test]
    fn no_two_are_the_same() {
        assert_ne!(draw().unwrap(), draw().unwrap());
    }
}
