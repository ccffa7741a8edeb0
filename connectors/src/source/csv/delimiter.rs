//! Which byte stands between the fields.

use csv_core::ReadRecordResult;

/// How many bytes are looked at.
pub(super) const SAMPLE: usize = 64 << 10;

/// The candidate that splits most records of the sample into as many fields as the first, which must be two or more;
/// of equals the one that makes more fields, then the first of `,` `;` tab `|`. A file of one column has a comma.
pub(super) fn find(sample: &[u8], quote: u8) -> u8 {
    let mut best = (0, 1, b',');
    for delimiter in [b',', b';', b'\t', b'|'] {
        let widths = widths(sample, delimiter, quote);
        let width = widths.first().copied().unwrap_or(0);
        // In thousandths, so that comparisons are exact.
        let alike = widths.iter().filter(|&&w| w == width).count() * 1000 / widths.len().max(1);
        if width > 1 && (alike, width) > (best.0, best.1) {
            best = (alike, width, delimiter);
        }
    }
    best.2
}

/// The number of fields of each record that ends in the sample.
fn widths(sample: &[u8], delimiter: u8, quote: u8) -> Vec<usize> {
    let mut core = csv_core::ReaderBuilder::new().delimiter(delimiter).quote(quote).build();
    let (mut scratch, mut ends) = ([0; 1024], [0; 64]);
    let (mut at, mut width, mut widths) = (0, 0, Vec::new());
    loop {
        let (result, used, _, ended) = core.read_record(&sample[at..], &mut scratch, &mut ends);
        at += used;
        width += ended;
        match result {
            ReadRecordResult::Record => {
                widths.push(width);
                width = 0;
            }
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
            // A sample that was cut off ends in a record that says nothing, unless it is the only one.
            ReadRecordResult::InputEmpty if widths.is_empty() => {}
            ReadRecordResult::InputEmpty | ReadRecordResult::End => return widths,
        }
    }
}
