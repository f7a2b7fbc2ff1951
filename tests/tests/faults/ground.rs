//! Where the log is kept, and what outlives the services that use it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use contracts::{Partitions, shipment_suite};
use event_store::{Checkpoints, EventStore};
use event_store_eventstoredb::EventStoreDb;
use event_store_memory::MemoryEventStore;
use event_store_postgres::PostgresEventStore;
use event_store_sqlite::{SqliteCheckpoints, SqliteEventStore};
use eventstoredb_double::TestServer;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use test_servers::postgres::TestDatabase;
use testkit::Broker;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;

/// The stores that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    Sqlite,
    Postgres,
    EventStoreDb,
}

impl Store {
    pub(crate) const ALL: [Self; 4] = [
        Self::Memory,
        Self::Sqlite,
        Self::Postgres,
        Self::EventStoreDb,
    ];
}

/// The buses that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bus {
    /// Receivers follow the log.
    Embedded,
    /// Receivers have queues at a broker, which outlives them.
    Broker,
}

/// A store to run on, one run after another. Its server, if it has one, lives outside of the runs.
pub(crate) enum Ground {
    Memory,
    Sqlite(TempDir),
    Postgres(TestDatabase),
    EventStoreDb {
        server: TestServer,
        folder: TempDir,
        prefixes: AtomicUsize,
        prefix: String,
        _runtime: Runtime,
    },
}

/// What one run is made on: an empty log, and a broker without messages.
pub(crate) struct Place {
    log: Log,
    /// What a run on a broker has beside the log.
    pub(crate) broker: Option<Broker>,
}

enum Log {
    Memory(Arc<MemoryEventStore>),
    Sqlite(PathBuf),
    Postgres(String),
    EventStoreDb {
        settings: event_store_eventstoredb::Settings,
        indexes: PathBuf,
        /// Opened once: its client takes a tenth of a second for that.
        opened: OnceCell<Stores>,
    },
}

/// The stores, as one life of the services has opened them.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) log: Arc<dyn EventStore>,
    pub(crate) indexes: Arc<dyn Checkpoints>,
}

impl Stores {
    fn of<S: EventStore + 'static>(store: Arc<S>) -> Self {
        Self {
            log: store.clone(),
            indexes: store,
        }
    }
}

impl Ground {
    pub(crate) fn of(store: Store) -> Self {
        match store {
            Store::Memory => Self::Memory,
            Store::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Store::Postgres => {
                let runtime = Builder::new_current_thread().enable_all().build();
                let database = test_servers::postgres::database();
                Self::Postgres(runtime.unwrap().block_on(database))
            }
            Store::EventStoreDb => {
                let mut builder = Builder::new_multi_thread();
                let runtime = builder.worker_threads(1).enable_all().build().unwrap();
                let server = runtime.block_on(eventstoredb_double::server());
                Self::EventStoreDb {
                    prefix: server.unique("faults"),
                    server,
                    folder: tempfile::tempdir().unwrap(),
                    prefixes: AtomicUsize::new(0),
                    _runtime: runtime,
                }
            }
        }
    }

    /// An empty log, and an empty broker.
    pub(crate) async fn place(&self, bus: Bus) -> Place {
        static FILES: AtomicUsize = AtomicUsize::new(0);
        let log = match self {
            Self::Memory => Log::Memory(Arc::new(MemoryEventStore::new(Partitions::default()))),
            Self::Sqlite(folder) => {
                let n = FILES.fetch_add(1, Ordering::Relaxed);
                Log::Sqlite(folder.path().join(format!("{n}.db")))
            }
            Self::Postgres(database) => {
                empty(&database.url()).await;
                Log::Postgres(database.url())
            }
            Self::EventStoreDb {
                server,
                folder,
                prefixes,
                prefix,
                ..
            } => {
                let n = prefixes.fetch_add(1, Ordering::Relaxed);
                let mut connection = server.connection_string();
                if server.double().is_some() {
                    // Without it, the client reads the certificates of the machine each time.
                    let none = folder.path().join("no_certificates.pem");
                    std::fs::write(&none, "").unwrap();
                    connection.push_str(&format!("&tlsCaFile={}", none.display()));
                }
                let mut settings = event_store_eventstoredb::Settings::at(connection);
                settings.stream_prefix = format!("{prefix}_{n}");
                let indexes = folder.path().join(format!("{n}.db"));
                let opened = OnceCell::new();
                Log::EventStoreDb {
                    settings,
                    indexes,
                    opened,
                }
            }
        };
        let broker = match bus {
            Bus::Embedded => None,
            Bus::Broker => Some(Broker::new(shipment_suite(), Partitions::default())),
        };
        Place { log, broker }
    }
}

/// Empties a database, where something was stored in it.
async fn empty(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let is_set_up: bool = sqlx::query_scalar("select to_regclass('events') is not null")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    if is_set_up {
        sqlx::raw_sql("truncate events, checkpoints restart identity")
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
}

impl Place {
    /// Opens the stores, as the services do when they start.
    pub(crate) async fn open(&self) -> Stores {
        let partitions = Partitions::default();
        match &self.log {
            Log::Memory(store) => Stores::of(store.clone()),
            Log::Sqlite(path) => {
                let settings = event_store_sqlite::Settings { path: path.clone() };
                let store = SqliteEventStore::open(&settings, partitions).await;
                Stores::of(Arc::new(store.unwrap()))
            }
            Log::Postgres(url) => {
                let settings = event_store_postgres::Settings::at(url.clone());
                let store = PostgresEventStore::connect(&settings, partitions).await;
                Stores::of(Arc::new(store.unwrap()))
            }
            Log::EventStoreDb {
                settings,
                indexes,
                opened,
            } => {
                let open = async || {
                    let store = EventStoreDb::connect(settings, partitions).await;
                    let settings = event_store_sqlite::Settings {
                        path: indexes.clone(),
                    };
                    let indexes = SqliteCheckpoints::open(&settings).await;
                    Stores {
                        log: Arc::new(store.unwrap()),
                        indexes: Arc::new(indexes.unwrap()),
                    }
                };
                opened.get_or_init(open).await.clone()
            }
        }
    }
}
