//! A line for a person.

#[expect(clippy::print_stdout, reason = "a bench speaks to a person")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
