//! What each strategy promises, measured, and what every decision promises, as laws.

use super::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::collections::HashMap;

const STRATEGIES: [&str; 6] = [
    "priority",
    "weighted",
    "round-robin",
    "random",
    "least-used",
    "cost-optimized",
];
const ACCOUNT_STRATEGIES: [&str; 6] = [
    "fill-first",
    "round-robin",
    "p2c",
    "random",
    "least-used",
    "cost-optimized",
];
const PICKS: u64 = 10_000;

fn account(id: u32) -> Account {
    Account {
        connection_id: format!("connection-{id}"),
        verdict: Verdict::Eligible.into(),
        until_ms: 0,
        in_flight: Some(0),
        last_used_ms: Some(0),
        failures: Some(0),
    }
}

fn target(id: u32, accounts: u32) -> Target {
    Target {
        provider: format!("provider-{id}"),
        model: "m".to_owned(),
        verdict: Verdict::Eligible.into(),
        turn: Some(0),
        preference: 0,
        accounts: (0..accounts).map(|number| account(id * 10 + number)).collect(),
    }
}

fn entry(target: u32, weight: f64, uses: u64, price: u64) -> Entry {
    Entry {
        weight: Some(weight),
        uses: Some(uses),
        price: Some(price),
        leads_to: Some(LeadsTo::Target(target)),
    }
}

/// A combo of targets with one account each.
fn combo(strategy: &str, entries: Vec<Entry>) -> Decision {
    Decision {
        targets: (0..entries.len() as u32).map(|id| target(id, 1)).collect(),
        root: Some(Group {
            name: "combo".to_owned(),
            strategy: strategy.to_owned(),
            turn: Some(0),
            entries,
        }),
        account_strategy: "fill-first".to_owned(),
        seed: Some(1),
        sticky_limit: Some(1),
        ..Decision::default()
    }
}

/// A plain model of one provider with several accounts.
fn accounts(strategy: &str, accounts: u32) -> Decision {
    let entries = vec![entry(0, 1.0, 0, 0)];
    Decision {
        targets: vec![target(0, accounts)],
        account_strategy: strategy.to_owned(),
        ..combo("priority", entries)
    }
}

fn alike(count: u32) -> Vec<Entry> {
    (0..count).map(|id| entry(id, 1.0, 0, 0)).collect()
}

/// How often each came first in decisions that differ in seed and turn.
fn firsts(mut decision: Decision) -> HashMap<u32, f64> {
    let mut counts: HashMap<u32, f64> = HashMap::new();
    for n in 0..PICKS {
        // neighbouring seeds are the hardest for a generator
        decision.seed = Some(n);
        if let Some(root) = &mut decision.root {
            root.turn = Some(n);
        }
        for target in &mut decision.targets {
            target.turn = Some(n);
        }
        *counts.entry(decide(&decision).unwrap()[0]).or_default() += 1.0 / PICKS as f64;
    }
    counts
}

fn assert_share(counts: &HashMap<u32, f64>, expected: &[f64]) {
    for (number, share) in (0..).zip(expected) {
        let seen = counts.get(&number).copied().unwrap_or(0.0);
        assert!((seen - share).abs() < 0.02, "{number}: {seen} instead of {share}");
    }
}

#[test]
fn priority_keeps_the_order_of_the_configuration() {
    assert_eq!(decide(&combo("priority", alike(4))).unwrap(), [0, 1, 2, 3]);
}

#[test]
fn weighted_draws_the_first_by_its_share_and_the_rest_follow_by_weight() {
    let entries = vec![
        entry(0, 10.0, 0, 0),
        entry(1, 60.0, 0, 0),
        entry(2, 30.0, 0, 0),
        entry(3, 0.0, 0, 0),
    ];
    let decision = combo("weighted", entries);
    assert_share(&firsts(decision.clone()), &[0.1, 0.6, 0.3, 0.0]);
    for seed in 0..100 {
        let order = decide(&Decision {
            seed: Some(seed),
            ..decision.clone()
        })
        .unwrap();
        let rest: Vec<u32> = [1, 2, 0, 3]
            .into_iter()
            .filter(|number| *number != order[0])
            .collect();
        assert_eq!(order[1..], rest);
    }
    let nothing_weighs = (0..4).map(|id| entry(id, 0.0, 0, 0)).collect();
    assert_share(&firsts(combo("weighted", nothing_weighs)), &[0.25; 4]);
}

#[test]
fn round_robin_takes_turns_exactly_and_wraps_around() {
    let decision = combo("round-robin", alike(3));
    assert_share(&firsts(decision.clone()), &[1.0 / 3.0; 3]);
    let mut second = decision;
    second.root.as_mut().unwrap().turn = Some(7);
    assert_eq!(decide(&second).unwrap(), [1, 2, 0]);
}

#[test]
fn random_is_uniform_in_every_place() {
    let decision = combo("random", alike(4));
    assert_share(&firsts(decision.clone()), &[0.25; 4]);
    let mut lasts: HashMap<u32, f64> = HashMap::new();
    for seed in 0..PICKS {
        let order = decide(&Decision {
            seed: Some(seed),
            ..decision.clone()
        })
        .unwrap();
        *lasts.entry(order[3]).or_default() += 1.0 / PICKS as f64;
    }
    assert_share(&lasts, &[0.25; 4]);
}

#[test]
fn least_used_and_cost_optimized_are_exact_and_ties_keep_their_order() {
    let entries = vec![
        entry(0, 1.0, 9, UNKNOWN_PRICE),
        entry(1, 1.0, 2, 500),
        entry(2, 1.0, 9, 0),
        entry(3, 1.0, 1, 500),
    ];
    assert_eq!(
        decide(&combo("least-used", entries.clone())).unwrap(),
        [3, 1, 0, 2]
    );
    assert_eq!(decide(&combo("cost-optimized", entries)).unwrap(), [2, 1, 3, 0]);
}

#[test]
fn a_combo_inside_a_combo_keeps_its_own_strategy_and_place() {
    let inner = Group {
        name: "inner".to_owned(),
        strategy: "cost-optimized".to_owned(),
        turn: Some(0),
        entries: vec![entry(1, 1.0, 0, 9), entry(2, 1.0, 0, 3)],
    };
    let nested = Entry {
        leads_to: Some(LeadsTo::Group(inner)),
        ..entry(0, 1.0, 0, 0)
    };
    let mut decision = combo("priority", alike(4));
    decision.root.as_mut().unwrap().entries = vec![entry(0, 1.0, 0, 0), nested, entry(3, 1.0, 0, 0)];
    assert_eq!(decide(&decision).unwrap(), [0, 2, 1, 3]);
}

#[test]
fn a_target_that_occurs_twice_is_tried_once() {
    let mut decision = combo("priority", alike(2));
    decision.root.as_mut().unwrap().entries =
        vec![entry(1, 1.0, 0, 0), entry(0, 1.0, 0, 0), entry(1, 1.0, 0, 0)];
    assert_eq!(decide(&decision).unwrap(), [1, 0]);
}

#[test]
fn what_a_policy_prefers_comes_first_in_the_order_of_the_strategy() {
    let mut decision = combo("round-robin", alike(4));
    decision.root.as_mut().unwrap().turn = Some(3);
    decision.targets[0].preference = 1;
    decision.targets[2].preference = 1;
    assert_eq!(decide(&decision).unwrap(), [0, 2, 3, 1]);
    decision.targets[2].preference = 2;
    decision.targets[0].preference = 3;
    assert_eq!(decide(&decision).unwrap(), [2, 0, 3, 1]);
}

#[test]
fn accounts_take_turns_of_the_sticky_limit() {
    let mut decision = accounts("round-robin", 3);
    decision.sticky_limit = Some(3);
    let mut turns = Vec::new();
    for turn in 0..12 {
        decision.targets[0].turn = Some(turn);
        turns.push(decide(&decision).unwrap()[0]);
    }
    assert_eq!(turns, [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0]);
}

#[test]
fn a_resting_account_leaves_its_turns_to_all_others() {
    let mut decision = accounts("round-robin", 3);
    decision.targets[0].accounts[1].verdict = Verdict::Resting.into();
    assert_share(&firsts(decision), &[0.5, 0.0, 0.5]);
}

#[test]
fn of_two_random_accounts_the_better_one_comes_first() {
    let mut decision = accounts("p2c", 2);
    decision.targets[0].accounts[0].in_flight = Some(3);
    assert_share(&firsts(decision.clone()), &[0.0, 1.0]);
    decision.targets[0].accounts[1].failures = Some(1000);
    assert_share(&firsts(decision), &[1.0, 0.0]);
    // the worst of four is never the better of two
    let mut four = accounts("p2c", 4);
    four.targets[0].accounts[2].in_flight = Some(9);
    assert_share(&firsts(four), &[1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0]);
}

#[test]
fn the_least_used_account_is_the_idlest_and_of_those_the_one_that_waited_longest() {
    let mut decision = accounts("least-used", 3);
    let given = &mut decision.targets[0].accounts;
    (given[0].in_flight, given[0].last_used_ms) = (Some(1), Some(1));
    (given[1].in_flight, given[1].last_used_ms) = (Some(0), Some(9));
    (given[2].in_flight, given[2].last_used_ms) = (Some(0), Some(5));
    assert_eq!(decide(&decision).unwrap(), [2, 1, 0]);
}

#[test]
fn random_accounts_are_uniform_and_the_others_keep_their_priority() {
    assert_share(&firsts(accounts("random", 4)), &[0.25; 4]);
    for strategy in ["fill-first", "cost-optimized"] {
        assert_eq!(decide(&accounts(strategy, 3)).unwrap(), [0, 1, 2]);
    }
}

#[test]
fn a_session_stays_with_its_account_and_moves_only_when_that_one_goes() {
    let sessions: Vec<[u8; 8]> = (0..3000)
        .map(|n| session_hash("tenant", &format!("session {n}")))
        .collect();
    let place = |decision: &Decision, session: &[u8; 8]| {
        let decision = Decision {
            session: session.to_vec(),
            ..decision.clone()
        };
        let order = decide(&decision).unwrap();
        decision.targets[0].accounts[order[0] as usize]
            .connection_id
            .clone()
    };
    let all = accounts("random", 3);
    let mut without = all.clone();
    without.targets[0].accounts[1].verdict = Verdict::Resting.into();
    let mut counts: HashMap<String, f64> = HashMap::new();
    for session in &sessions {
        let home = place(&all, session);
        *counts.entry(home.clone()).or_default() += 1.0 / sessions.len() as f64;
        if home != "connection-1" {
            assert_eq!(place(&without, session), home);
        }
    }
    assert!(
        counts.values().all(|share| (share - 1.0 / 3.0).abs() < 0.03),
        "{counts:?}"
    );
    assert_ne!(session_hash("a", "bc"), session_hash("ab", "c"));
}

#[test]
fn what_is_not_open_is_not_in_the_order() {
    let mut decision = combo("priority", alike(4));
    decision.targets[0].verdict = Verdict::BreakerOpen.into();
    decision.targets[1].accounts[0].verdict = Verdict::NotPermitted.into();
    decision.targets[2].verdict = Verdict::Probe.into();
    assert_eq!(decide(&decision).unwrap(), [2, 3]);
    assert_eq!(locate(&decision, 3), Some((3, 0)));
    assert_eq!(locate(&decision, 4), None);
}

fn any_decision() -> impl Strategy<Value = Decision> {
    let verdicts = prop::sample::select(vec![
        Verdict::Eligible,
        Verdict::Eligible,
        Verdict::Probe,
        Verdict::Resting,
    ]);
    let account = (verdicts, 0..5u32, 0..100u64, 0..2000u32);
    let targets = prop::collection::vec(prop::collection::vec(account, 1..5), 1..5);
    let entry = (0.0..100.0f64, 0..10u64, 0..10u64);
    let facts = (
        prop::collection::vec(entry, 4),
        any::<u64>(),
        any::<u64>(),
        1..5u32,
        any::<bool>(),
    );
    let strategies = (
        prop::sample::select(&STRATEGIES[..]),
        prop::sample::select(&ACCOUNT_STRATEGIES[..]),
    );
    (targets, facts, strategies).prop_map(|(targets, (entries, seed, turn, sticky, session), strategies)| {
        let mut decision = combo(strategies.0, alike(targets.len() as u32));
        let root = decision.root.as_mut().unwrap();
        root.turn = Some(turn);
        for (given, (weight, uses, price)) in root.entries.iter_mut().zip(entries) {
            (given.weight, given.uses, given.price) = (Some(weight), Some(uses), Some(price));
        }
        for (number, given) in (0..).zip(targets) {
            let target = &mut decision.targets[number as usize];
            *target = super::tests::target(number, given.len() as u32);
            target.turn = Some(turn);
            for (account, (verdict, in_flight, last_used, failures)) in target.accounts.iter_mut().zip(given)
            {
                account.verdict = verdict.into();
                account.in_flight = Some(in_flight);
                account.last_used_ms = Some(last_used);
                account.failures = Some(failures);
            }
        }
        decision.account_strategy = strategies.1.to_owned();
        (decision.seed, decision.sticky_limit) = (Some(seed), Some(sticky));
        if session {
            decision.session = session_hash("tenant", "session").to_vec();
        }
        decision
    })
}

/// Ways to lose one recorded input. Every one of them has to be noticed.
fn losses(decision: &Decision) -> Vec<(&'static str, Decision)> {
    let mut losses = Vec::new();
    let mut lose = |name: &'static str, change: &dyn Fn(&mut Decision)| {
        let mut changed = decision.clone();
        change(&mut changed);
        if changed != *decision {
            losses.push((name, changed));
        }
    };
    lose("root", &|d| d.root = None);
    lose("seed", &|d| d.seed = None);
    lose("sticky_limit", &|d| d.sticky_limit = None);
    lose("session", &|d| d.session.clear());
    lose("account_strategy", &|d| d.account_strategy.clear());
    lose("strategy", &|d| d.root.as_mut().unwrap().strategy.clear());
    lose("turn", &|d| d.root.as_mut().unwrap().turn = None);
    lose("weight", &|d| d.root.as_mut().unwrap().entries[0].weight = None);
    lose("uses", &|d| d.root.as_mut().unwrap().entries[0].uses = None);
    lose("price", &|d| d.root.as_mut().unwrap().entries[0].price = None);
    lose("entry", &|d| drop(d.root.as_mut().unwrap().entries.pop()));
    lose("target", &|d| drop(d.targets.pop()));
    lose("verdict", &|d| d.targets[0].verdict = 0);
    lose("account", &|d| drop(d.targets[0].accounts.pop()));
    lose("health", &|d| d.targets[0].accounts[0].verdict = 0);
    lose("in_flight", &|d| d.targets[0].accounts[0].in_flight = None);
    lose("last_used_ms", &|d| d.targets[0].accounts[0].last_used_ms = None);
    lose("failures", &|d| d.targets[0].accounts[0].failures = None);
    lose("order", &|d| d.order.clear());
    losses
}

#[test]
fn a_hundred_thousand_recorded_decisions_replay_to_the_same_choice() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let decisions = any_decision();
    for n in 0..100_000 {
        let made = decisions.new_tree(&mut runner).unwrap().current();
        let mut recorded = made;
        record(&mut recorded).unwrap();
        // as they lie in the database
        let read = <Decision as prost::Message>::decode(&*prost::Message::encode_to_vec(&recorded)).unwrap();
        assert_eq!(replay(&read), Ok(()), "decision {n}");
    }
}

proptest! {
    #[test]
    fn an_order_holds_everything_open_once_and_nothing_else(decision in any_decision()) {
        let mut order = decide(&decision).unwrap();
        order.sort_unstable();
        let mut open = Vec::new();
        let mut number = 0;
        for target in &decision.targets {
            for account in &target.accounts {
                if is_open(account.verdict) {
                    open.push(number);
                }
                number += 1;
            }
        }
        prop_assert_eq!(order, open);
    }

    #[test]
    fn a_record_that_lost_an_input_does_not_replay(decision in any_decision()) {
        let mut recorded = decision;
        record(&mut recorded).unwrap();
        for (name, altered) in losses(&recorded) {
            prop_assert!(replay(&altered).is_err(), "{} is gone and nobody noticed", name);
        }
    }
}

/// A combo of many models with many accounts each.
fn wide() -> Decision {
    let mut decision = combo("random", (0..64).map(|id| entry(id, 1.0, 0, 0)).collect());
    decision.targets = (0..64).map(|id| target(id, 20)).collect();
    decision.targets[3].verdict = Verdict::BreakerOpen.into();
    decision.account_strategy = "random".to_owned();
    record(&mut decision).unwrap();
    decision
}

fn tried(decision: &Decision) -> Vec<&Account> {
    let at = |number: &u32| {
        let (target, account) = locate(decision, *number).unwrap();
        &decision.targets[target].accounts[account]
    };
    decision.order.iter().map(at).collect()
}

#[test]
fn a_record_that_is_too_long_keeps_what_was_tried_first_and_counts_the_rest() {
    use prost::Message;
    let whole = wide();
    let mut short = whole.clone();
    shorten(&mut short, 4 * 1024);
    assert!(short.encoded_len() <= 4 * 1024 && short.encoded_len() > 2 * 1024);
    let kept: usize = short.targets.iter().map(|target| target.accounts.len()).sum();
    let omitted = 64 * 20 - u32::try_from(kept).unwrap();
    assert_eq!(short.omitted_accounts, Some(omitted));
    assert_eq!(tried(&short), tried(&whole)[..kept]);
    assert_eq!(replay(&short), Err(Divergence::Shortened { omitted }));
    short.targets[0].accounts.pop();
    assert_eq!(replay(&short), Err(Divergence::Altered));
}

#[test]
fn a_record_that_is_short_enough_stays_as_it_is() {
    let mut decision = accounts("fill-first", 3);
    record(&mut decision).unwrap();
    let before = decision.clone();
    shorten(&mut decision, 24 * 1024);
    assert_eq!(decision, before);
    assert_eq!(replay(&decision), Ok(()));
}

#[test]
fn a_model_with_a_name_without_end_does_not_keep_a_record_from_being_kept() {
    let mut decision = accounts("fill-first", 3);
    decision.targets[0].model = "é".repeat(100_000);
    record(&mut decision).unwrap();
    shorten(&mut decision, 24 * 1024);
    assert_eq!((decision.omitted_accounts, decision.order.len()), (Some(0), 3));
    assert_eq!(decision.targets[0].model, "é".repeat(256));
    assert!(replay(&decision).is_err());
}

proptest! {
    #[test]
    fn whatever_is_shortened_fits_and_leads_somewhere(decision in any_decision(), bytes in 64usize..2_000) {
        use prost::Message;
        let mut short = decision;
        record(&mut short).unwrap();
        let before = short.clone();
        shorten(&mut short, bytes);
        if before.encoded_len() <= bytes {
            prop_assert_eq!(short, before);
            return Ok(());
        }
        let kept: usize = short.targets.iter().map(|target| target.accounts.len()).sum();
        prop_assert!(short.encoded_len() <= bytes || kept == 0);
        prop_assert!(short.order.iter().all(|number| locate(&short, *number).is_some()));
        let tried_before = tried(&before);
        prop_assert_eq!(tried(&short), &tried_before[..short.order.len()]);
        prop_assert!(replay(&short).is_err());
        // what is left of it can still be read as a decision
        prop_assert!(!matches!(decide(&short), Err(DecideError::Target(_))));
    }
}
