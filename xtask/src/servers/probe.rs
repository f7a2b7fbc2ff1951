//! Whether a server answers in its own protocol: a port that accepts connections proves little.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// How long a probe waits for the connection, and for each answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a PostgreSQL server says to someone who wants in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Welcome {
    /// It lets the user in without a password.
    Open,
    /// It asks for a password.
    Password,
    /// It refuses, and says why.
    Refused(String),
}

/// Asks a PostgreSQL server to let a user in, without TLS.
pub(super) fn postgres(host: &str, port: u16, user: &str, database: &str) -> Result<Welcome> {
    let mut server = connect(host, port)?;
    server.write_all(&startup_message(user, database))?;
    let (kind, body) = postgres_message(&mut server)?;
    match welcome(kind, &body)? {
        // It looks for the user and the database only after it has let in, and then says an error
        // or the first of its parameters.
        Welcome::Open => match postgres_message(&mut server)? {
            (b'E', body) => welcome(b'E', &body),
            _ => Ok(Welcome::Open),
        },
        refusal @ (Welcome::Password | Welcome::Refused(_)) => Ok(refusal),
    }
}

/// Reads a message of PostgreSQL: its kind and its body.
fn postgres_message(server: &mut TcpStream) -> Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    server.read_exact(&mut head).context("no answer came")?;
    let [kind, length @ ..] = head;
    let length = u32::from_be_bytes(length).saturating_sub(4);
    ensure!(length < 10_000, "what answers is not PostgreSQL");
    let mut body = vec![0; length as usize];
    server.read_exact(&mut body).context("no answer came")?;
    Ok((kind, body))
}

/// Asks whether a PostgreSQL server speaks TLS. Any answer shows that it is one.
pub(super) fn postgres_tls(host: &str, port: u16) -> Result<bool> {
    let mut server = connect(host, port)?;
    server.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])?; // SSLRequest
    let mut answer = [0];
    server.read_exact(&mut answer).context("no answer came")?;
    match answer {
        [b'S'] => Ok(true),
        [b'N'] => Ok(false),
        _ => bail!("what answers is not PostgreSQL"),
    }
}

/// Opens an AMQP 0-9-1 conversation: the server must begin it with the method `connection.start`.
pub(super) fn amqp(host: &str, port: u16) -> Result<()> {
    let mut server = connect(host, port)?;
    server.write_all(b"AMQP\0\0\x09\x01")?;
    let mut frame = [0; 11];
    server.read_exact(&mut frame).context("no answer came")?;
    // A method frame (1) on channel 0, its size, and class 10, method 10.
    let start = frame[..3] == [1, 0, 0] && frame[7..] == [0, 10, 0, 10];
    ensure!(start, "what answers does not speak AMQP 0-9-1");
    Ok(())
}

/// The status with which a server answers an HTTP `GET`, with basic authentication.
pub(super) fn http_status(
    host: &str,
    port: u16,
    path: &str,
    user: &str,
    password: &str,
) -> Result<u16> {
    let mut server = connect(host, port)?;
    let credentials = base64(format!("{user}:{password}").as_bytes());
    write!(
        server,
        "GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nAuthorization: Basic {credentials}\r\n\r\n"
    )?;
    // "HTTP/1.1 200", with any minor version.
    let mut line = [0; 12];
    server.read_exact(&mut line).context("no answer came")?;
    let line = String::from_utf8_lossy(&line);
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..));
    status
        .and_then(|status| status.parse().ok())
        .context("what answers does not speak HTTP")
}

/// Whether a connection is accepted, for a server whose protocol begins with TLS.
pub(super) fn accepts(host: &str, port: u16) -> Result<()> {
    connect(host, port).map(drop)
}

/// A port of this machine that nothing listens on at the moment, another one at each call.
///
/// Not one that the system chooses: between this and the start of a server, the system could give
/// that one to another program.
pub(super) fn free_port() -> Result<u16> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 10_000;
    for _ in 0..COUNT {
        // Two of these programs at once begin at different ports.
        let offset = (std::process::id() % COUNT) * 97 + TRIED.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + offset % COUNT)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of this machine is free")
}

fn connect(host: &str, port: u16) -> Result<TcpStream> {
    let mut last = None;
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    let error = last.context("the host has no address")?;
    Err(error).with_context(|| format!("nothing answers at {host}:{port}"))
}

fn startup_message(user: &str, database: &str) -> Vec<u8> {
    let mut body = vec![0, 3, 0, 0]; // protocol 3.0
    for text in ["user", user, "database", database] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    // The length counts itself.
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &body].concat()
}

/// Reads the first message of a PostgreSQL server.
fn welcome(kind: u8, body: &[u8]) -> Result<Welcome> {
    match (kind, body) {
        (b'R', [0, 0, 0, 0]) => Ok(Welcome::Open),
        (b'R', _) => Ok(Welcome::Password),
        (b'E', fields) => {
            // Each field is a letter and a text that a zero ends; M is the message.
            let message = fields
                .split(|byte| *byte == 0)
                .find_map(|field| field.strip_prefix(b"M"))
                .unwrap_or(b"it does not say why");
            Ok(Welcome::Refused(
                String::from_utf8_lossy(message).into_owned(),
            ))
        }
        _ => bail!("what answers is not PostgreSQL"),
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let [a, b, c] = three.map(usize::from);
        let sixes = [
            a >> 2,
            (a << 4 | b >> 4) & 63,
            (b << 2 | c >> 6) & 63,
            c & 63,
        ];
        for (at, six) in sixes.into_iter().enumerate() {
            // Two sixes hold one byte, three hold two, four hold three.
            let letter = if at <= chunk.len() {
                ALPHABET[six]
            } else {
                b'='
            };
            text.push(char::from(letter));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_its_specification() {
        // RFC 4648, section 10
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("guest:guest", "Z3Vlc3Q6Z3Vlc3Q="),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn a_startup_message_counts_its_own_length() {
        let message = startup_message("me", "books");
        assert_eq!(
            message,
            b"\0\0\0\x20\0\x03\0\0user\0me\0database\0books\0\0"
        );
        assert_eq!(message.len(), 0x20);
    }

    #[test]
    fn the_first_message_of_postgres_tells_whether_one_is_let_in() {
        assert_eq!(welcome(b'R', &[0, 0, 0, 0]).unwrap(), Welcome::Open);
        assert_eq!(
            welcome(b'R', &[0, 0, 0, 10, b'S']).unwrap(),
            Welcome::Password
        );
        assert_eq!(
            welcome(b'E', b"SFATAL\0C28000\0Mno such role\0\0").unwrap(),
            Welcome::Refused("no such role".to_owned())
        );
        assert!(welcome(b'H', b"TTP").is_err());
    }

    #[test]
    fn a_port_that_nothing_listens_on_is_told_apart() {
        let error = amqp("127.0.0.1", 1).unwrap_err().to_string();
        assert!(error.contains("nothing answers"), "{error}");
    }

    #[test]
    fn free_ports_differ() {
        assert_ne!(free_port().unwrap(), free_port().unwrap());
    }
}
