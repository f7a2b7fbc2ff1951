//! What a shipment's process has come to, as it is answered over HTTP.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::operations::remedies;
use crate::state::{Compensation, Documents, Stage, State, Status};

/// The answer to `GET /shipments/{shipmentId}`. What is not known yet is absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    shipment_id: String,
    process_category: String,
    status: Status,
    /// The step that it waits for; or, once it has failed, the step that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    collection_date: Date,
    time_zone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_numbers: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collection_booking_reference: Option<String>,
    documents: Documents,
    stages: Stages,
    /// Whether what was done with carriers is undone; absent when nothing was to be undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    compensation: Option<Undoing>,
    /// What it waits for, and until when, by the names of the deadlines.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    deadlines: BTreeMap<String, Timestamp>,
    /// Why it was cancelled, when that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_reason: Option<String>,
    /// How many inputs are parked; absent when none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    parked_inputs: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stages {
    manifestation_and_documents: Stage,
    collection_booking: Stage,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Undoing {
    status: Compensation,
    /// What could not be undone, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// What somebody has done about that by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<String>,
    /// What a person can do about it, by the names of the operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remedies: Vec<&'static str>,
}

impl Outcome {
    /// The outcome of an instance; `None` before it has started.
    #[must_use]
    pub fn of(instance: &kernel::Instance<State>) -> Option<Self> {
        let state = instance.state()?;
        let request = state.request.as_ref()?;
        let numbers: Vec<_> = state
            .manifested_legs
            .iter()
            .map(|leg| leg.tracking_number.as_str())
            .collect();
        let parked = instance.parked().len();
        Some(Self {
            shipment_id: request.shipment_id.to_string(),
            process_category: instance.category()?.as_str().to_owned(),
            status: state.status,
            step: state.step.map(crate::Step::name),
            failure: state.failure.clone(),
            collection_date: request.collection_date,
            time_zone: request.time_zone.clone(),
            tracking_numbers: (!numbers.is_empty()).then(|| numbers.join(", ")),
            collection_booking_reference: state.booking_reference.clone(),
            documents: state.documents.clone(),
            stages: Stages {
                manifestation_and_documents: state.manifestation_and_documents,
                collection_booking: state.collection_booking,
            },
            compensation: (state.compensation != Compensation::None).then(|| Undoing {
                status: state.compensation,
                failure: state.why_not_undone(),
                settlement: state.settlement.clone(),
                remedies: remedies(state),
            }),
            deadlines: instance.deadlines().clone(),
            cancellation_reason: state.cancellation_reason.clone(),
            parked_inputs: (parked > 0).then_some(parked),
        })
    }
}
