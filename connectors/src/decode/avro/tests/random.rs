//! Random schemas and data: against the model, against `arrow-avro`, and mutated.

use arrow_array::RecordBatch;
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema as OracleSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use proptest::prelude::*;

use super::model::{Datum, Random, Schema};
use super::plain;
use crate::decode::tests::{at, bad, cases, payload};
use crate::decode::{BadReason, FieldSpec, Outcome, Pointer, RecordDecoder, arrow};
use crate::source::column::Column;

fn fields(schema: &Schema) -> Vec<(String, FieldSpec)> {
    let mut leaves = Vec::new();
    schema.kind.leaves("", &mut leaves);
    leaves
        .into_iter()
        .map(|(pointer, data_type)| {
            let place = at(&pointer);
            (pointer.clone(), FieldSpec::new(pointer, data_type).at(place))
        })
        .collect()
}

fn decoder(schema: &Schema, fields: &[(String, FieldSpec)]) -> RecordDecoder {
    plain(&schema.text, &fields.iter().map(|(_, field)| field.clone()).collect::<Vec<_>>())
}

fn data(schema: &Schema, random: &mut Random, n: usize) -> Vec<(Vec<u8>, Datum)> {
    let datum = |_| {
        let mut bytes = Vec::new();
        let datum = schema.kind.write(random, &mut bytes);
        (bytes, datum)
    };
    (0..n).map(datum).collect()
}

/// What `arrow-avro` makes of the data.
fn oracle(schema: &str, data: &[(Vec<u8>, Datum)]) -> RecordBatch {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(Fingerprint::Id(7), OracleSchema::new(schema.to_owned())).unwrap();
    let mut decoder =
        ReaderBuilder::new().with_writer_schema_store(store).with_batch_size(1024).build_decoder().unwrap();
    for (bytes, _) in data {
        let framed = [&[0, 0, 0, 0, 7], &bytes[..]].concat();
        assert_eq!(decoder.decode(&framed).unwrap(), framed.len());
    }
    decoder.flush().unwrap().unwrap()
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn agrees_with_the_model(seed in any::<u64>()) {
        let mut random = Random(seed);
        let schema = Schema::random(&mut random, false);
        let fields = fields(&schema);
        let data = data(&schema, &mut random, 8);
        let mut decoder = decoder(&schema, &fields);
        for (bytes, _) in &data {
            prop_assert_eq!(decoder.decode(&payload(bytes)), Outcome::Rows(1), "{}", &schema.text);
        }
        let decoded = decoder.flush();
        for (at, (pointer, field)) in fields.iter().enumerate() {
            let mut expected = Column::new(field.data_type(), None, 8).unwrap();
            for (_, datum) in &data {
                datum.at(pointer, &mut |value| expected.push_value(value));
            }
            let found = (decoded.batch.column(at).clone(), decoded.type_errors[at].clone());
            prop_assert_eq!(found, expected.finish(), "{} of {}", pointer, &schema.text);
        }
    }

    #[test]
    fn agrees_with_arrow_avro(seed in any::<u64>()) {
        let mut random = Random(seed);
        let schema = Schema::random(&mut random, true);
        let fields = fields(&schema);
        let data = data(&schema, &mut random, 8);
        let batch = oracle(&schema.text, &data);
        let mut decoder = decoder(&schema, &fields);
        for (bytes, _) in &data {
            prop_assert_eq!(decoder.decode(&payload(bytes)), Outcome::Rows(1));
        }
        let decoded = decoder.flush();
        for (at, (pointer, field)) in fields.iter().enumerate() {
            let mut expected = Column::new(field.data_type(), None, 8).unwrap();
            arrow::push(&batch, &Pointer::parse(pointer).unwrap(), &mut expected);
            let found = (decoded.batch.column(at).clone(), decoded.type_errors[at].clone());
            prop_assert_eq!(found, expected.finish(), "{} of {}", pointer, &schema.text);
        }
    }

    /// What is cut, flipped or random never panics, and the record after it is as if it had been alone.
    #[test]
    fn mutations_leave_no_trace(seed in any::<u64>(), junk in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut random = Random(seed);
        let schema = Schema::random(&mut random, false);
        let fields = fields(&schema);
        let data = data(&schema, &mut random, 6);
        let mut alone = decoder(&schema, &fields);
        let mut decoder = decoder(&schema, &fields);
        decoder.decode(&payload(&junk));
        let mut before = vec![decoder.rows()];
        for (bytes, _) in &data {
            alone.decode(&payload(bytes));
            prop_assert_eq!(decoder.decode(&payload(bytes)), Outcome::Rows(1));
            if !bytes.is_empty() {
                let cut = &bytes[..random.below(bytes.len())];
                prop_assert_eq!(bad(decoder.decode(&payload(cut))).reason, BadReason::Truncated);
                let mut flipped = bytes.clone();
                flipped[random.below(bytes.len())] ^= 1 << random.below(8);
                decoder.decode(&payload(&flipped));
            }
            before.push(decoder.rows());
        }
        let expected = alone.flush().batch;
        let found = decoder.flush().batch;
        for (row, &start) in before[..data.len()].iter().enumerate() {
            prop_assert_eq!(found.slice(start, 1), expected.slice(row, 1));
        }
    }
}
