//! The binaries of the suite, run as processes of their own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use host::TokenHash;
use reqwest::header::AUTHORIZATION;
use tempfile::TempDir;
use tokio::time::Instant;

/// The services that run as processes of their own.
pub const SERVICES: [&str; 4] = [
    "shipment-process",
    "manifestation",
    "collection-booking",
    "carrier-stub",
];

/// The token that lets in whoever asks a service here.
pub const TOKEN: &str = "longhaul_test";

/// A user who has [`TOKEN`].
///
/// # Panics
/// When the client cannot be set up.
#[must_use]
pub fn http_client(timeout: Duration) -> reqwest::Client {
    let bearer = format!("Bearer {TOKEN}").parse().unwrap();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(timeout)
        .default_headers([(AUTHORIZATION, bearer)].into_iter().collect())
        .build()
        .unwrap()
}

/// How long anything here may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until there is an answer. Nothing else in these tests sleeps.
///
/// # Panics
/// When there is none within the limit.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A binary's path. For a test, builds all of them first, with its profile and into its target folder;
/// nothing is done where they are fresh. A program that is no test was built with them, beside them.
///
/// # Panics
/// When they cannot be built.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build).join(name)
}

fn build() -> PathBuf {
    // {target}[/{triple}]/{profile}/deps/{this test}
    let executable = env::current_exe().unwrap();
    let folder = executable.parent().unwrap();
    if folder.file_name() != Some("deps".as_ref()) {
        return folder.to_owned();
    }
    let profile_folder = executable.ancestors().nth(2).unwrap().to_owned();
    let profile = profile_folder.file_name().unwrap().to_str().unwrap();
    let mut target_folder = profile_folder.parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--workspace", "--bins"])
        .args(["--exclude", "xtask", "--profile"])
        .arg(if profile == "debug" { "dev" } else { profile });
    // What cargo says to a test about its package: build scripts that look at it would be run again,
    // and again when the tests are built next.
    for (key, _) in env::vars_os().filter(|(key, _)| is_about_a_package(key)) {
        cargo.env_remove(key);
    }
    if !target_folder.join("CACHEDIR.TAG").exists() {
        cargo
            .arg("--target")
            .arg(target_folder.file_name().unwrap());
        target_folder = target_folder.parent().unwrap();
    }
    let built = cargo.arg("--target-dir").arg(target_folder).status();
    assert!(built.unwrap().success(), "the binaries cannot be built");
    profile_folder
}

fn is_about_a_package(key: &OsString) -> bool {
    let key = key.to_string_lossy();
    [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
    ]
    .iter()
    .any(|prefix| key.starts_with(prefix))
}

/// A binary to be run with the settings that are compiled in: none comes from this environment.
#[must_use]
pub fn command(name: &str) -> Command {
    let mut command = Command::new(path(name));
    command
        .env_clear()
        .envs(env::vars_os().filter(|(key, _)| !is_setting(key)))
        .stdin(Stdio::null());
    command
}

fn is_setting(key: &OsString) -> bool {
    key.to_string_lossy().starts_with("LONGHAUL")
}

/// The environment variable of a setting: `LONGHAUL__EVENT_STORE__ADAPTER` for `event_store.adapter`.
#[must_use]
pub fn variable(setting: &str) -> String {
    format!("LONGHAUL__{}", setting.to_uppercase().replace('.', "__"))
}

/// The setting that says where a binary listens.
#[must_use]
pub fn port_setting(name: &str) -> String {
    let section = match name {
        "longhaul" => "shipment-process",
        service => service,
    };
    format!("{}.port", section.replace('-', "_"))
}

/// A port on which nothing listens, and which is given to nobody else.
///
/// It is below the ports that the operating system gives to connections: one of these might take it
/// before the service does, or even connect to itself while the service is waited for.
///
/// # Panics
/// When all are taken.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run side by side begin at different places.
    let start = u16::try_from(process::id() % 600).unwrap() * 20;
    for _ in 0..COUNT {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + offset) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// A binary that runs, in a folder of its own. It is killed when this is dropped; what it logged is
/// shown when the test fails.
#[derive(Debug)]
pub struct Process {
    name: String,
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    port: u16,
    place: Place,
    child: Option<Child>,
    client: reqwest::Client,
}

/// Where a process runs.
#[derive(Debug)]
pub struct Place {
    folder: PathBuf,
    /// The group of processes that it joins; that of this program if there is none.
    group: Option<i32>,
    /// Set if the folder is there for this process alone, and is removed after it.
    _temporary: Option<TempDir>,
}

impl Place {
    /// A folder that outlives the process, and the number of the group of processes that it joins:
    /// whoever ends the group ends it too.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn within(folder: PathBuf, group: i32) -> Self {
        fs::create_dir_all(&folder).unwrap();
        Self {
            folder,
            group: Some(group),
            _temporary: None,
        }
    }

    fn temporary() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder: folder.path().to_owned(),
            group: None,
            _temporary: Some(folder),
        }
    }
}

impl Process {
    /// Starts a binary with these settings (`event_store.adapter`, …), and waits until it is ready.
    pub async fn start(name: &str, settings: &[(&str, &str)]) -> Self {
        let mut process = Self::spawn(name, settings);
        process.ready().await;
        process
    }

    /// The same without waiting. A service lets in whoever has [`TOKEN`]; `longhaul`, which listens to this
    /// machine only, everybody.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(name: &str, settings: &[(&str, &str)]) -> Self {
        Self::spawn_at(Place::temporary(), name, settings)
    }

    /// The same with more in its environment than its settings.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn_within(
        name: &str,
        settings: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::spawn_as(Place::temporary(), name, settings, environment)
    }

    /// The same as [`spawn`](Self::spawn) in a certain place.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn_at(place: Place, name: &str, settings: &[(&str, &str)]) -> Self {
        Self::spawn_as(place, name, settings, &[])
    }

    fn spawn_as(
        place: Place,
        name: &str,
        settings: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut all = Vec::new();
        if SERVICES.contains(&name) {
            let hash = TokenHash::of(TOKEN).to_hex();
            all.push(("http.tokens.tests.role".to_owned(), "operate".to_owned()));
            all.push(("http.tokens.tests.sha256".to_owned(), hash));
        }
        all.extend(settings.iter().map(|(k, v)| ((*k).into(), (*v).into())));
        let mut process = Self {
            name: name.to_owned(),
            settings: all,
            environment: environment
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            port: free_port(),
            place,
            child: None,
            client: http_client(Duration::from_secs(20)),
        };
        process.launch();
        process
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of this path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What asks it.
    #[must_use]
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of its process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The folder in which it runs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// What it has logged, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Starts it again, at the same address and in the same folder.
    ///
    /// # Panics
    /// When it still runs, or cannot be started.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let open = File::options().create(true).append(true).clone();
        let log = open.open(self.log_path()).unwrap();
        let mut command = command(&self.name);
        if let Some(group) = self.place.group {
            command.process_group(group);
        }
        let child = command
            .current_dir(self.folder())
            .env(variable(&port_setting(&self.name)), self.port.to_string())
            .envs(self.settings.iter().map(|(k, v)| (variable(k), v)))
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// Waits until it says that it is ready.
    ///
    /// # Panics
    /// When it ends instead, or takes too long.
    pub async fn ready(&mut self) {
        self.ready_within(PATIENCE).await;
    }

    /// The same, where it may take this long.
    ///
    /// # Panics
    /// When it ends instead, or takes longer.
    pub async fn ready_within(&mut self, limit: Duration) {
        self.succeeds("/health/ready", limit).await;
    }

    /// Waits until it says that it lives, which it may do long before it is ready.
    ///
    /// # Panics
    /// When it ends instead, or takes longer.
    pub async fn live_within(&mut self, limit: Duration) {
        self.succeeds("/health/live", limit).await;
    }

    async fn succeeds(&mut self, path: &str, limit: Duration) {
        let url = self.url(path);
        let what = format!("{} answers to {path}", self.name);
        eventually(&what, limit, async || {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("{} has ended: {status}", self.name);
            }
            let answer = self.client.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// `kill -TERM`, without waiting.
    ///
    /// # Panics
    /// When it does not run.
    pub fn ask_to_stop(&self) {
        self.signal("-TERM");
    }

    /// `kill -STOP`: it stands still, until it goes on, and its connections stay open.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// `kill -CONT`.
    ///
    /// # Panics
    /// When it does not run.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// How it has ended, if it has by itself.
    ///
    /// # Panics
    /// When that cannot be told.
    pub fn ended_by_itself(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().unwrap()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes longer than this.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        let child = self.child.as_mut().unwrap();
        let status = eventually(&what, limit, async || child.try_wait().unwrap()).await;
        self.child = None;
        status
    }

    /// `kill -TERM`, and waits for the end.
    pub async fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.ask_to_stop();
        self.ended(limit).await
    }

    fn log_path(&self) -> PathBuf {
        self.folder().join("log")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill9();
        }
        if std::thread::panicking() {
            const LAST: usize = 100;
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let from = lines.len().saturating_sub(LAST);
            let shown = lines[from..].join("\n");
            eprintln!("---- the last lines of {} ----\n{shown}", self.name);
        }
    }
}
