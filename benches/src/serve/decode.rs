//! What limits the service: the same source, decoder and columns, and nothing done with the batches.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use driftlead_connectors::decode::{AvroSchema, BatchSize, Format, Framing, Outcome, RecordDecoder};
use driftlead_connectors::kafka::{Connection, KafkaSettings, KafkaSource, Start};
use driftlead_connectors::stream::{Event, Partition, Source};

use crate::process::cpu_seconds;
use crate::{Cost, Failure, Kind, cost, traffic};

/// As many rows as a chunk of the service has at most.
const FULL: BatchSize = BatchSize { rows: 16 * 1024, bytes: 8 << 20 };

/// Reads and decodes `rows` records of a topic; measured from the first ones on.
pub(crate) fn run(brokers: &str, topic: &str, kind: Kind, rows: u64) -> Result<Cost, Failure> {
    let settings = KafkaSettings {
        connection: Connection { brokers: brokers.to_owned(), ..Connection::default() },
        topics: vec![topic.to_owned()],
        headers: false,
    };
    let (format, fields) = match kind {
        Kind::Json => (Format::Json { framing: Framing::Plain }, traffic::fields("/meta/ts")?),
        Kind::Avro => (Format::Avro(AvroSchema::Plain(traffic::avro_schema())), traffic::fields("/ts")?),
    };
    let mut source = KafkaSource::open(&settings, &BTreeMap::new(), Start::Beginning)?;
    let mut decoders: BTreeMap<Partition, RecordDecoder> = BTreeMap::new();
    let (mut read, mut failure): (u64, Option<Failure>) = (0, None);
    let mut first = None;
    while read < rows && failure.is_none() {
        source.poll(Duration::from_secs(1), &mut |event| match event {
            Event::Records { partition, records } => {
                if !decoders.contains_key(partition) {
                    match RecordDecoder::new(&format, &fields) {
                        Ok(decoder) => drop(decoders.insert(partition.clone(), decoder)),
                        Err(error) => failure = Some(error.into()),
                    }
                }
                let Some(decoder) = decoders.get_mut(partition) else { return };
                for record in records {
                    match decoder.decode(record) {
                        Outcome::Rows(n) => read += n as u64,
                        other => failure = Some(format!("expected a row, found {other:?}").into()),
                    }
                }
                if decoder.is_full(FULL) {
                    black_box(decoder.flush());
                }
            }
            Event::Gap { reason, .. } => failure = Some(reason.into()),
            Event::Trouble(error) => failure = Some(error.to_string().into()),
            Event::Lost { partition } => failure = Some(format!("the topic lost {partition}").into()),
            Event::Assigned { .. } | Event::CaughtUp { .. } => {}
        })?;
        if read > 0 && first.is_none() {
            first = Some((Instant::now(), cpu_seconds(std::process::id())?, read));
        }
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    let (at, cpu, before) = first.ok_or("no rows")?;
    Ok(cost(read - before, at.elapsed().as_secs_f64(), cpu_seconds(std::process::id())? - cpu))
}
