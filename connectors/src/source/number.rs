//! Decimal literals to exact integers: the text goes straight to the column's type, never through `f64`
//! (SEMANTICS S4), so that integers beyond 2^53 and decimals keep every digit.

/// What to do with digits beyond the scale that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// The literal does not fit if any of them is not zero.
    Refuse,
    /// Round towards minus infinity, as time units do.
    Floor,
}

/// The value of `text` times 10^`scale`, exactly.
///
/// Accepts `[+-] digits [. digits] [e [+-] digits]` with at least one digit; `1.0`, `10e-1` and `1` are the same
/// integer. `None` if the text is not such a literal, does not fit `i128`, or has digits that `excess` refuses.
pub(crate) fn scaled(text: &str, scale: i32, excess: Excess) -> Option<i128> {
    let bytes = text.as_bytes();
    let (negative, unsigned) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    let magnitude = match short_integer(unsigned) {
        Some(value) if scale == 0 => i128::from(value),
        _ => magnitude(unsigned, scale, negative, excess)?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Up to 18 plain digits, which is nearly every integer there is; they always fit `i64`.
fn short_integer(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(value)
}

fn magnitude(unsigned: &[u8], scale: i32, negative: bool, excess: Excess) -> Option<i128> {
    let (mantissa, exponent) = match unsigned.iter().position(|b| matches!(b, b'e' | b'E')) {
        None => (unsigned, 0),
        Some(at) => (&unsigned[..at], exponent(&unsigned[at + 1..])?),
    };
    let point = mantissa.iter().position(|&b| b == b'.');
    let fraction = point.map_or(0, |at| mantissa.len() - at - 1);
    let n_digits = mantissa.len() - usize::from(point.is_some());
    let digits = || mantissa.iter().enumerate().filter(|&(at, _)| Some(at) != point).map(|(_, &b)| b);
    if n_digits == 0 || !digits().all(|b| b.is_ascii_digit()) {
        return None;
    }

    // All digits, read as one integer, stand for value * 10^-shift.
    let shift = exponent.saturating_sub(fraction as i64).saturating_add(i64::from(scale));
    let kept = (n_digits as i64).saturating_add(shift.min(0)).max(0) as usize;
    let mut value: i128 = 0;
    for digit in digits().take(kept) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    if value != 0 && shift > 0 {
        let factor = 10_i128.checked_pow(u32::try_from(shift).ok()?)?;
        value = value.checked_mul(factor)?;
    }
    let lost = digits().skip(kept).any(|b| b != b'0');
    match excess {
        Excess::Refuse if lost => None,
        Excess::Floor if lost && negative => value.checked_add(1),
        _ => Some(value),
    }
}

/// `[+-] digits`; anything too large for `i64` saturates, far beyond every type's range.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let step = |value: i64, digit: &u8| value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    let value = digits.iter().fold(0, step);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn integer(text: &str) -> Option<i128> {
        scaled(text, 0, Excess::Refuse)
    }

    #[test]
    fn integral_literals_are_exact() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("+7", 7),
            ("007", 7),
            ("1.0", 1),
            ("10e-1", 1),
            ("1.5e1", 15),
            ("0e999999999999999999999", 0),
            ("9007199254740993", 9_007_199_254_740_993),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("18446744073709551615", i128::from(u64::MAX)),
            (".5e1", 5),
            ("5.", 5),
        ] {
            assert_eq!(integer(text), Some(expected), "{text}");
        }
        for text in
            ["", "-", "+", ".", "e5", "1e", "1e+", "1.5", "1e-1", "0x1", "1 ", "1_0", "--1", "1.2.3", "1e40"]
        {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn excess_digits_are_refused_or_floored() {
        assert_eq!(scaled("12.345", 3, Excess::Refuse), Some(12_345));
        assert_eq!(scaled("12.3450", 3, Excess::Refuse), Some(12_345));
        assert_eq!(scaled("12.3451", 3, Excess::Refuse), None);
        assert_eq!(scaled("12.3459", 3, Excess::Floor), Some(12_345));
        assert_eq!(scaled("-12.3451", 3, Excess::Floor), Some(-12_346));
        assert_eq!(scaled("-1e-9", 0, Excess::Floor), Some(-1));
        assert_eq!(scaled("1200", -2, Excess::Refuse), Some(12));
        assert_eq!(scaled("1201", -2, Excess::Refuse), None);
    }

    proptest! {
        #[test]
        fn agrees_with_integer_arithmetic(value in any::<i64>(), scale in 0_i32..18) {
            let power = 10_i128.pow(scale as u32);
            prop_assert_eq!(scaled(&value.to_string(), scale, Excess::Refuse), Some(i128::from(value) * power));
            let (whole, part) = (i128::from(value) / power, (i128::from(value) % power).abs());
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{part:0width$}", whole.abs(), width = scale as usize);
            prop_assert_eq!(scaled(&text, scale, Excess::Refuse), Some(i128::from(value)));
            let floor = i128::from(value).div_euclid(power);
            prop_assert_eq!(scaled(&text, 0, Excess::Floor), Some(floor));
        }

        #[test]
        fn never_panics(text in "[0-9eE.+-]{0,60}", scale in -40_i32..40) {
            let _ = scaled(&text, scale, Excess::Floor);
            let _ = scaled(&text, scale, Excess::Refuse);
        }
    }
}
