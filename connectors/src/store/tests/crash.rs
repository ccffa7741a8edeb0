//! Killed at any moment, the store holds the commits up to one of them, and none in part.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

/// Names the store for the child; without it the child's test has nothing to do.
const FOLDER: &str = "DRIFTLEAD_TEST_STORE_TO_KILL";

const KILLS: u64 = 40;

/// The child: commits on and on, and says each number once the commit has returned. It ends by being killed.
#[test]
fn child_commits_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut store = Store::open(Path::new(&folder), 1).unwrap();
    let mut n: u64 = store.load().unwrap().settings.get("step").map_or(0, |step| step.parse().unwrap());
    let mut out = std::io::stdout();
    loop {
        n += 1;
        let commit = step(&mut store, n);
        store.commit(&commit).unwrap();
        writeln!(out, "\ncommitted {n}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn killed_at_any_moment_it_holds_a_prefix_of_the_commits() {
    let folder = folder();
    let mut model = Model::default();
    let mut applied = 0;
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut beyond = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store::tests::crash::child_commits_until_it_is_killed", "--exact", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = None;
        let mut next = || -> u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 33
        };
        // Once it has said a random number of commits it is within the next; how far, a random count decides.
        for _ in 0..=next() % 4 {
            let number = lines.by_ref().find_map(|line| {
                line.unwrap().strip_prefix("committed ").map(|number| number.parse::<u64>().unwrap())
            });
            said = Some(number.expect("the child ended by itself"));
        }
        for i in 0..next() % 2_000_000 {
            std::hint::black_box(i);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said between our last look and its end counts as well.
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("committed ").and_then(|number| number.parse().ok()) {
                said = Some(number);
            }
        }
        let said = said.unwrap();

        // A reader is the first to see what the log holds, every other time.
        if kill % 2 == 0 {
            assert_eq!(check(folder.path()).unwrap(), [], "kill {kill}");
        }
        let store = open(&folder);
        let found: u64 = store.load().unwrap().settings["step"].parse().unwrap();
        assert!(
            found == said || found == said + 1,
            "kill {kill}: commit {said} was said to be there, and the store is at {found}"
        );
        beyond += u64::from(found > said);
        while applied < found {
            applied += 1;
            model.apply(&history(applied));
        }
        assert_eq!(Model::read(&store), model, "kill {kill}, at commit {found}");
        drop(store);
        assert_eq!(check(folder.path()).unwrap(), [], "kill {kill}");
    }
    assert!(applied > KILLS, "{applied} commits in {KILLS} lives, {beyond} of them not said");
}
