//! SplitMix64 (Steele, Lea and Flood, 2014): the one source of seeded randomness of all tests and benches, so that their
//! data are the same on every machine and no crate's update moves them. Each crate includes this file by its path, for
//! there is none that all of them may depend on.

/// The next 64 random bits.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
