//! `TCP_NODELAY`, for sockets that the client opens.
//!
//! The client sends a request in two packets, leaves Nagle's algorithm on, and has no setting for it. So
//! the second packet waits until the server's kernel confirms the first, which takes it 40 ms, at every
//! request. Until the client can be told, its sockets are looked up among the files of this process, and
//! told here. See ADR 13.

use std::io;

/// Sets it on every connection of this process to one of these ports; how many there are.
///
/// # Errors
/// Where the system does not let a process copy its own files, as Docker's default filter of system
/// calls does.
#[cfg(target_os = "linux")]
pub(crate) fn set(ports: &[u16]) -> io::Result<usize> {
    use std::fs;
    use std::net::TcpStream;

    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let process = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut found = 0;
    for file in fs::read_dir("/proc/self/fd")? {
        let file = file?;
        let is_socket = fs::read_link(file.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
        let number = file.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(number) = number.filter(|_| is_socket) else {
            continue;
        };
        // A copy, which is closed at the end; both are one socket. It may be gone by now.
        let socket = match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
            Err(rustix::io::Errno::BADF) => continue,
            copied => TcpStream::from(copied?),
        };
        let peer = socket.peer_addr();
        if peer.is_ok_and(|peer| ports.contains(&peer.port())) {
            socket.set_nodelay(true)?;
            found += 1;
        }
    }
    Ok(found)
}

/// Elsewhere it is left as it is.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set(_ports: &[u16]) -> io::Result<usize> {
    Ok(0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn it_is_set_on_connections_to_the_server_and_on_no_others() {
        let connection = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (listener, stream)
        };
        let (server, own) = connection();
        let (_other_server, other) = connection();
        match set(&[server.local_addr().unwrap().port()]) {
            Ok(found) => {
                assert_eq!(found, 1);
                assert!(own.nodelay().unwrap());
                assert!(!other.nodelay().unwrap());
            }
            // In a container that does not allow it.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}"),
        }
    }
}
