//! What the floor stores: the table of the suite, filled by one plain statement.

use anyhow::Result;
use contracts::Partitions;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::floor::course::{COURSE, Entry, Service, first_version};

/// The suite's own table, with its indexes. Of the rest nothing is used.
const TABLES: &str = include_str!("../../../adapters/event-store-postgres/migrations/0001_log.sql");

const INSERT: &str = "
    insert into events (
        kind, partition, stream_id, version, id, type, category, data, metadata, recorded_at
    )
    select $1, partition, stream_id, version, id, type, 'international-1.0', data::json, metadata::json, now()
    from unnest($2, $3, $4, $5, $6, $7, $8)
        as entry (partition, stream_id, version, id, type, data, metadata)";

/// The log of one service, over a connection of its own.
#[derive(Debug)]
pub(crate) struct Log {
    connection: PgConnection,
    kind: &'static str,
    /// For each step, what its entries hold.
    bodies: Vec<Vec<(String, String)>>,
}

impl Log {
    /// Makes the table in a new database.
    pub(crate) async fn set_up(url: &str) -> Result<()> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(TABLES).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    pub(crate) async fn count(url: &str) -> Result<u64> {
        let mut connection = PgConnection::connect(url).await?;
        let count: i64 = sqlx::query_scalar("select count(*) from events")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(u64::try_from(count)?)
    }

    pub(crate) async fn open(url: &str, service: Service) -> Result<Self> {
        let body = |entry: &Entry| (json_of(entry.data), json_of(entry.metadata));
        let bodies = COURSE
            .iter()
            .map(|step| step.entries.iter().map(body).collect());
        Ok(Self {
            connection: PgConnection::connect(url).await?,
            kind: service.kind(),
            bodies: bodies.collect(),
        })
    }

    /// Stores the entries of these steps, each of the shipment with this number, in one transaction.
    pub(crate) async fn store(&mut self, steps: &[(u32, usize)]) -> Result<()> {
        let mut partitions = Vec::new();
        let mut streams = Vec::new();
        let mut versions = Vec::new();
        let mut ids = Vec::new();
        let mut types = Vec::new();
        let mut data = Vec::new();
        let mut metadata = Vec::new();
        for &(shipment, step) in steps {
            let id = instance(shipment);
            let partition = i32::from(Partitions::default().of(&id).0);
            let bodies = COURSE[step].entries.iter().zip(&self.bodies[step]);
            for (version, (entry, body)) in (first_version(step)..).zip(bodies) {
                partitions.push(partition);
                streams.push(format!("{id}-{}", self.kind));
                versions.push(i64::try_from(version)?);
                ids.push(Uuid::from_u64_pair(
                    u64::from(shipment),
                    u64::try_from(version)?,
                ));
                types.push(entry.type_name);
                data.push(body.0.as_str());
                metadata.push(body.1.as_str());
            }
        }
        sqlx::query(INSERT)
            .bind(self.kind)
            .bind(partitions)
            .bind(streams)
            .bind(versions)
            .bind(ids)
            .bind(types)
            .bind(data)
            .bind(metadata)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}

/// The id of a shipment: twelve characters in no order, as those of the load generator. An index costs more
/// where its keys come in no order.
pub(crate) fn instance(shipment: u32) -> String {
    const DIGITS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    // One to one for numbers of 64 bits: SplitMix64.
    let mut mixed = u64::from(shipment).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let digit = |_| {
        let digit = DIGITS[usize::try_from(mixed % 36).unwrap()];
        mixed /= 36;
        char::from(digit)
    };
    (0..12).map(digit).collect()
}

/// A JSON object of so many bytes.
fn json_of(bytes: usize) -> String {
    const MEMBER: &str = r#""attribute":"01234567-89ab-cdef-0123-456789abcdef""#;
    let mut text = "{".to_owned();
    while text.len() + MEMBER.len() + 2 <= bytes {
        if text.len() > 1 {
            text.push(',');
        }
        text += MEMBER;
    }
    let rest = bytes.saturating_sub(text.len() + 1);
    text += &" ".repeat(rest);
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_body_is_json_and_of_the_size_that_is_asked_for() {
        for bytes in [2, 3, 49, 52, 53, 54, 103, 104, 105, 700] {
            let text = json_of(bytes);
            assert_eq!(text.len(), bytes);
            assert!(
                serde_json::from_str::<serde_json::Value>(&text).is_ok(),
                "{text}"
            );
        }
    }

    #[test]
    fn ids_are_all_different_and_in_no_order() {
        let ids: Vec<_> = (0..1_000).map(instance).collect();
        assert!(ids.iter().all(|id| id.len() == 12));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1_000);
        let rising = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((400..600).contains(&rising), "{rising}");
    }
}
