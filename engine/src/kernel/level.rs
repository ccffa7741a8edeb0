//! Run-time dispatch: one body, compiled for several instruction sets.
//!
//! A [`Task`] is a loop whose `run` is `#[inline(always)]`; each `run_*` function below is compiled with more instructions
//! allowed, and the body is inlined into it. Nothing in a body depends on the level, so levels differ in speed only.

/// A set of instructions that the running machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// What the build target guarantees: SSE2 on x86-64, NEON on AArch64.
    Baseline,
    /// AVX2, BMI and POPCNT.
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    Avx2,
    /// AVX-512 F, VL, DQ and BW.
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    Avx512,
}

/// A loop that is compiled once per level. Mark `run`, and all that it calls in the loop, `#[inline(always)]`.
pub(super) trait Task {
    type Output;
    fn run(self) -> Self::Output;
}

impl Level {
    /// The best level of this machine.
    pub(super) fn detect() -> Self {
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
                && has_avx2()
            {
                return Self::Avx512;
            }
            if has_avx2() {
                return Self::Avx2;
            }
        }
        Self::Baseline
    }

    /// Whether rows are located by packed tables, where the edges allow it.
    #[cfg(test)]
    pub(super) fn packs(self) -> bool {
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        return self == Self::Avx512;
        #[cfg(not(all(target_arch = "x86_64", not(driftlead_portable))))]
        false
    }

    /// Every level that this machine can run.
    #[cfg(test)]
    pub(super) fn available() -> Vec<Self> {
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        {
            let all = [Self::Baseline, Self::Avx2, Self::Avx512];
            let n = 1 + all.iter().position(|level| *level == Self::detect()).unwrap_or(0);
            all[..n].to_vec()
        }
        #[cfg(not(all(target_arch = "x86_64", not(driftlead_portable))))]
        {
            vec![Self::Baseline]
        }
    }

    /// Runs `task` with this level's instructions.
    #[inline]
    pub(super) fn run<K: Task>(self, task: K) -> K::Output {
        match self {
            Self::Baseline => task.run(),
            // SAFETY: a level other than `Baseline` comes only from `detect` or `available`, which checked every
            // feature that the callee enables.
            #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
            Self::Avx2 => unsafe { run_avx2(task) },
            // SAFETY: as above.
            #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
            Self::Avx512 => unsafe { run_avx512(task) },
        }
    }
}

#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn run_avx2<K: Task>(task: K) -> K::Output {
    task.run()
}

#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi1,bmi2,popcnt")]
fn run_avx512<K: Task>(task: K) -> K::Output {
    task.run()
}

/// Asks for the cache line `rows` values after `of`; a hint, with no effect on any result. The line need not exist.
#[inline(always)]
pub(super) fn prefetch<T>(of: *const T, rows: usize) {
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults, whatever the address; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(of.wrapping_add(rows).cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", not(driftlead_portable))))]
    let _ = (of, rows);
}
