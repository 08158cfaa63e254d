use super::*;

#[test]
fn thinking_is_said_in_the_words_of_the_model() {
    let say = |caps: ThinkingCaps, mode, effort: Option<&str>, budget, max: u64| {
        let mut request = request(vec![text(Role::User, "u")]);
        request.max_output = Some(max);
        request.reasoning.mode = mode;
        request.reasoning.effort = effort.map(str::to_owned);
        request.reasoning.budget = budget;
        let mut target = target();
        target.caps.thinking = caps;
        let (out, _) = encoded(&request, &target);
        (out["thinking"].clone(), out["output_config"].clone())
    };
    use ReasoningMode::{Adaptive, Off, On, Unset};
    use ThinkingCaps::{AdaptiveOnly, Budget, BudgetOrAdaptive};
    let enabled = |n: u64| json!({"type": "enabled", "budget_tokens": n});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let null = Value::Null;
    for (caps, mode, effort, budget, max, thinking, config) in [
        (Budget, Unset, None, None, 9_000, null.clone(), null.clone()),
        (
            Budget,
            Unset,
            Some("high"),
            None,
            4_096,
            enabled(3_072),
            null.clone(),
        ),
        (
            Budget,
            Unset,
            Some("high"),
            None,
            1_500,
            null.clone(),
            null.clone(),
        ),
        (Budget, On, None, Some(2_000), 9_000, enabled(2_000), null.clone()),
        (
            Budget,
            Unset,
            Some("none"),
            None,
            9_000,
            null.clone(),
            null.clone(),
        ),
        (
            Budget,
            Off,
            None,
            None,
            9_000,
            json!({"type": "disabled"}),
            null.clone(),
        ),
        (
            ThinkingCaps::None,
            Off,
            None,
            None,
            9_000,
            null.clone(),
            null.clone(),
        ),
        (
            ThinkingCaps::None,
            On,
            None,
            Some(2_000),
            9_000,
            null.clone(),
            null.clone(),
        ),
        (
            BudgetOrAdaptive,
            On,
            None,
            Some(2_000),
            9_000,
            enabled(2_000),
            null.clone(),
        ),
        (
            BudgetOrAdaptive,
            Unset,
            Some("max"),
            None,
            9_000,
            adaptive.clone(),
            json!({"effort": "max"}),
        ),
        (
            AdaptiveOnly,
            On,
            None,
            Some(31_999),
            9_000,
            adaptive.clone(),
            json!({"effort": "xhigh"}),
        ),
        (
            AdaptiveOnly,
            On,
            Some("minimal"),
            Some(31_999),
            9_000,
            adaptive.clone(),
            json!({"effort": "low"}),
        ),
        (
            AdaptiveOnly,
            Adaptive,
            None,
            None,
            9_000,
            adaptive.clone(),
            null.clone(),
        ),
    ] {
        let case = format!("{caps:?} {mode:?} {effort:?} {budget:?} {max}");
        assert_eq!(say(caps, mode, effort, budget, max), (thinking, config), "{case}");
    }
}

#[test]
fn sampling_follows_the_model_and_every_drop_is_noted() {
    let mut asked = request(vec![text(Role::User, "u")]);
    asked.max_output = Some(9_000);
    asked.sampling.temperature = Some(1.5);
    asked.sampling.top_p = Some(0.9);
    asked.sampling.top_k = Some(40);
    asked.sampling.seed = Some(7);
    let (out, notes) = encoded(&asked, &target());
    assert_eq!(
        (&out["temperature"], &out["top_p"], &out["top_k"]),
        (&json!(1.0), &json!(0.9), &json!(40))
    );
    assert_eq!(notes.count(Severity::Loss), 2);

    let mut without = target();
    without.caps.sampling_ok = false;
    let (out, notes) = encoded(&asked, &without);
    assert!(
        ["temperature", "top_p", "top_k"]
            .iter()
            .all(|field| out.get(field).is_none())
    );
    assert_eq!(notes.count(Severity::Loss), 4);

    asked.reasoning.effort = Some("low".to_owned());
    let (out, _) = encoded(&asked, &target());
    assert_eq!(out["thinking"]["type"], "enabled");
    assert!(
        ["temperature", "top_p", "top_k"]
            .iter()
            .all(|field| out.get(field).is_none())
    );
}

#[test]
fn max_tokens_is_clamped_or_made_up() {
    for (asked, limit, sent, severity) in [
        (Some(10), None, 10, None),
        (Some(99_999), Some(64_000), 64_000, Some(Severity::Loss)),
        (None, Some(64_000), 64_000, Some(Severity::Synth)),
        (None, None, DEFAULT_MAX_TOKENS, Some(Severity::Synth)),
    ] {
        let mut target = target();
        target.caps.max_output = limit;
        let request = Request {
            max_output: asked,
            ..request(vec![text(Role::User, "u")])
        };
        let (out, notes) = encoded(&request, &target);
        assert_eq!(out["max_tokens"], sent);
        assert_eq!(notes.iter().map(|note| note.severity).next(), severity);
    }
}

#[test]
fn what_would_change_the_answer_is_refused() {
    let mut several = request(vec![text(Role::User, "u")]);
    several.sampling.n = Some(2);
    let mut spoken = request(vec![text(Role::User, "u")]);
    spoken.modalities = vec!["text".to_owned(), "audio".to_owned()];
    let audio = PartKind::Audio {
        data: String::new(),
        format: "wav".to_owned(),
    };
    let heard = request(vec![Message::new(Role::User, vec![Part::new(audio)])]);
    let file = crate::request::MediaSource::FileId {
        id: "file-1".to_owned(),
        issuer: Dialect::OpenAiChat,
    };
    let image = PartKind::Image {
        source: file,
        mime: None,
        detail: None,
    };
    let foreign = request(vec![Message::new(Role::User, vec![Part::new(image)])]);
    for (request, param, message) in [
        (several, "n", "n>1 is not supported by model 'claude-x'"),
        (
            spoken,
            "modalities",
            "audio output is not supported by model 'claude-x'",
        ),
        (
            heard,
            "messages[0].content[0]",
            "model 'claude-x' does not accept audio input",
        ),
        (
            foreign,
            "messages[0].content[0]",
            "file references are provider-scoped; send file_data instead",
        ),
        (
            request(vec![]),
            "messages",
            "messages must contain at least one item",
        ),
    ] {
        let error = encode(&request, &target(), &mut Notes::default()).unwrap_err();
        assert_eq!(
            (error.param.as_deref(), error.message.as_str()),
            (Some(param), message)
        );
    }
}
