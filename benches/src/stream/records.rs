//! JSON records as a model's traffic tends to be: an envelope, a time, numbers and names.

use std::fmt::Write as _;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::Failure;

/// Writes `rows` records into a new topic; the bytes of their payloads.
pub(crate) fn write(brokers: &str, topic: &str, partitions: i32, rows: usize) -> Result<usize, Failure> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = futures::executor::block_on(admin.create_topics([&new], &AdminOptions::new()))?;
    made.into_iter().next().ok_or("no answer")?.map_err(|(topic, code)| format!("{topic}: {code}"))?;

    let producer: BaseProducer = config.set("linger.ms", "20").set("batch.num.messages", "2000").create()?;
    let mut random = Random(1);
    let (mut json, mut bytes) = (String::new(), 0);
    for row in 0..rows {
        json.clear();
        record(&mut json, row, &mut random)?;
        bytes += json.len();
        let partition = i32::try_from(row % partitions as usize)?;
        let mut record = BaseRecord::<(), str>::to(topic).payload(&json).partition(partition);
        while let Err((error, refused)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            producer.poll(Duration::from_millis(10));
            record = refused;
        }
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(bytes)
}

fn record(json: &mut String, row: usize, random: &mut Random) -> Result<(), std::fmt::Error> {
    const CARRIERS: [&str; 6] = ["AA", "CO", "DL", "NW", "UA", "WN"];
    const AIRPORTS: [&str; 5] = ["ATL", "DFW", "EWR", "ORD", "SFO"];
    let time = 1_000_000_000_000 + row as u64 * 50;
    let mut number = |upto: u64| random.next() % upto;
    write!(json, "{{\"meta\":{{\"ts\":{time},\"id\":\"{:016x}\"}},", number(u64::MAX))?;
    write!(json, "\"model\":\"flights\",\"carrier\":\"{}\",", CARRIERS[number(6) as usize])?;
    write!(json, "\"origin\":\"{}\",", AIRPORTS[number(5) as usize])?;
    write!(json, "\"destination\":\"{}\",", AIRPORTS[number(5) as usize])?;
    write!(json, "\"delay\":{},", number(240) as i64 - 30)?;
    write!(json, "\"distance\":{},", number(3000))?;
    write!(json, "\"fare\":{}.{:02},", 40 + number(900), number(100))?;
    for (name, scale) in [("score", 1e6), ("temperature", 1e4), ("wind", 1e5), ("load", 1e6), ("age", 1e3)] {
        write!(json, "\"{name}\":{},", number(10_000_000) as f64 / scale)?;
    }
    write!(json, "\"cancelled\":{}}}", number(50) == 0)
}

/// xorshift64*: the same records on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
