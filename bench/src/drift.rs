//! Whether the floor still does the same as the suite: what stands in the suite's database, a shipment,
//! against the floor's course.

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection};

use crate::floor::course::{Service, Total, total};

/// By how much sizes may differ: ids, addresses and the name of whoever asks are not all equally long.
const SIZES_WITHIN: f64 = 0.15;

/// What a service has stored of all international shipments, each of which has completed.
#[derive(Clone, Copy, Debug)]
struct Stored {
    shipments: i64,
    entries: i64,
    bytes: i64,
}

/// How the floor's work compares with what is in this database.
pub(crate) async fn look(database: &str) -> Result<String> {
    let mut connection = PgConnection::connect(database).await?;
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "select kind, count(distinct stream_id), count(*),
            sum(octet_length(data::text) + octet_length(metadata::text))::bigint
         from events group by kind",
    )
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    let mut differences = Vec::new();
    let (mut entries, mut stored_bytes, mut course_bytes) = (0, 0.0, 0);
    for service in Service::ALL {
        let row = rows.iter().find(|row| row.0 == service.kind());
        let (_, shipments, count, bytes) = row.context("a service has stored nothing")?;
        let stored = Stored {
            shipments: *shipments,
            entries: *count,
            bytes: *bytes,
        };
        let course = total(service);
        entries += course.entries;
        course_bytes += course.bytes;
        stored_bytes += each(stored.bytes, stored.shipments);
        differences.extend(difference(service, course, stored));
    }
    if differences.is_empty() {
        Ok(format!(
            "the floor does the same: {entries} entries a shipment, of {course_bytes} bytes (the suite: {stored_bytes:.0})"
        ))
    } else {
        Ok(format!(
            "THE FLOOR DOES NOT DO THE SAME: {}",
            differences.join("; ")
        ))
    }
}

fn difference(service: Service, course: Total, stored: Stored) -> Option<String> {
    let entries = each(stored.entries, stored.shipments);
    let bytes = each(stored.bytes, stored.shipments);
    let (floor_entries, floor_bytes) = (number(course.entries), number(course.bytes));
    let same =
        (entries - floor_entries).abs() < 1e-9 && (bytes / floor_bytes - 1.0).abs() <= SIZES_WITHIN;
    (!same).then(|| {
        format!(
            "{} stores {entries:.2} entries of {bytes:.0} bytes a shipment, and the floor {floor_entries} of {floor_bytes}",
            service.name()
        )
    })
}

#[expect(clippy::cast_precision_loss, reason = "a number for a person")]
fn each(all: i64, shipments: i64) -> f64 {
    all as f64 / shipments as f64
}

#[expect(clippy::cast_precision_loss, reason = "a number for a person")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_count_is_a_difference_and_a_little_more_bytes_is_none() {
        let course = Total {
            entries: 4,
            bytes: 1_000,
            messages: 2,
        };
        let stored = |entries, bytes| Stored {
            shipments: 10,
            entries,
            bytes,
        };
        let found = |stored| difference(Service::Collection, course, stored);
        assert_eq!(found(stored(40, 11_400)), None);
        assert_eq!(found(stored(40, 8_600)), None);
        assert!(found(stored(40, 11_600)).unwrap().contains("1160 bytes"));
        assert!(found(stored(41, 10_000)).unwrap().contains("4.10 entries"));
    }
}
