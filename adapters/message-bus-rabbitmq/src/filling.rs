//! How many messages go out as one, lately.

use crate::parcels::Parcel;

/// How much of what was known is kept when more becomes known.
const KEPT: f64 = 0.9;

/// A mean over what was published to services lately: queues are counted in AMQP messages, and what is in
/// them only its receivers know. Others fill the same queues, about as full when there is a backlog.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    messages: f64,
    parcels: f64,
}

impl Filling {
    /// These are published.
    pub(crate) fn published(&mut self, parcels: &[Parcel]) {
        let to_services = parcels.iter().filter(|parcel| parcel.mandatory);
        let sizes: Vec<usize> = to_services.map(|parcel| parcel.messages).collect();
        if !sizes.is_empty() {
            self.messages = self.messages * KEPT + sizes.iter().sum::<usize>() as f64;
            self.parcels = self.parcels * KEPT + sizes.len() as f64;
        }
    }

    /// About how many messages so many AMQP messages are.
    pub(crate) fn messages_in(&self, parcels: u64) -> usize {
        let each = match self.parcels {
            none if none < 1.0 => 1.0,
            parcels => self.messages / parcels,
        };
        (parcels as f64 * each).round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use lapin::BasicProperties;

    fn parcels(messages: usize, count: usize, mandatory: bool) -> Vec<Parcel> {
        let one = || Parcel {
            exchange: "",
            routing_key: "".into(),
            messages,
            mandatory,
            properties: BasicProperties::default(),
            body: Vec::new(),
        };
        (0..count).map(|_| one()).collect()
    }

    #[test]
    fn what_is_not_known_yet_counts_as_one() {
        assert_eq!(Filling::default().messages_in(7), 7);
        let mut filling = Filling::default();
        filling.published(&parcels(50, 2, false));
        assert_eq!(filling.messages_in(7), 7);
    }

    #[test]
    fn it_is_the_mean_of_what_went_to_services_lately() {
        let mut filling = Filling::default();
        filling.published(&parcels(1, 1, true));
        filling.published(&parcels(50, 100, true));
        let each = filling.messages_in(100);
        assert!((4_900..=5_000).contains(&each), "{each}");
        for _ in 0..100 {
            filling.published(&parcels(1, 1, true));
        }
        let each = filling.messages_in(100);
        assert!((100..=110).contains(&each), "{each}");
    }
}
