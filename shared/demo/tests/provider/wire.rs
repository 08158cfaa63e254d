use crate::client::{Answer, End, anthropic, gemini, ollama, open, openai, question, responses, send};
use demo::{Behaviour, Dialect, Simulator};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const HEAD: &str = "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k";

async fn scripted(behaviour: Behaviour, stream: bool) -> Answer {
    let simulator = Simulator::openai().await;
    simulator.script(behaviour);
    openai(&simulator, json!({"stream": stream})).await
}

fn frames(answer: &Answer) -> usize {
    answer.text().matches("data: ").count()
}

#[tokio::test]
async fn a_failure_has_its_status_its_patience_and_its_body() {
    let answer = scripted(
        Behaviour {
            fail: Some(429),
            retry_after: Some(7),
            ..Behaviour::default()
        },
        false,
    )
    .await;
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after: 7"), "{}", answer.head);
    assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");

    let body = r#"{"detail":"no"}"#;
    let answer = scripted(
        Behaviour {
            body: Some(body.into()),
            ..Behaviour::status(422)
        },
        true,
    )
    .await;
    assert_eq!((answer.status, answer.text().as_str()), (422, body));

    let simulator = Simulator::anthropic().await;
    simulator.script(Behaviour::status(529));
    let answer = anthropic(&simulator, json!({})).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["type"]),
        (529, &json!("overloaded_error"))
    );
}

#[tokio::test]
async fn html_is_html() {
    let html = Behaviour {
        html: Some(200),
        ..Behaviour::default()
    };
    let answer = scripted(html, false).await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/html") && answer.text().starts_with("<html>"));
}

#[tokio::test]
async fn a_slow_first_byte_is_late() {
    let delay = Duration::from_millis(120);
    let slow = Behaviour {
        first_byte: delay,
        ..Behaviour::default()
    };
    assert!(scripted(slow, false).await.first_byte >= delay);
}

#[tokio::test]
async fn gaps_lie_between_frames() {
    let gap = Duration::from_millis(5);
    let asked = Instant::now();
    let answer = scripted(
        Behaviour {
            gap,
            ..Behaviour::default()
        },
        true,
    )
    .await;
    let gaps = u32::try_from(frames(&answer) - 1).unwrap();
    assert!(
        asked.elapsed() >= gap * gaps && answer.first_byte < gap * gaps,
        "{gaps} gaps"
    );
    assert_eq!(answer.end, End::Whole);
}

#[tokio::test]
async fn a_cut_is_a_reset_after_exactly_so_many_frames() {
    for count in [0, 1, 4] {
        let cut = Behaviour {
            cut_after: Some(count),
            ..Behaviour::default()
        };
        let answer = scripted(cut, true).await;
        assert_eq!((answer.status, frames(&answer)), (200, count));
        assert_eq!(answer.end, End::Reset, "{count}");
    }
    let cut = Behaviour {
        cut_after: Some(2),
        ..Behaviour::default()
    };
    let whole = scripted(cut, false).await;
    assert_eq!((whole.end, whole.chunks.concat().len()), (End::Reset, 32));
}

#[tokio::test]
async fn an_early_end_is_a_clean_one() {
    let end = Behaviour {
        end_after: Some(3),
        ..Behaviour::default()
    };
    let answer = scripted(end.clone(), true).await;
    assert_eq!((frames(&answer), answer.text().contains("[DONE]")), (3, false));
    assert_eq!(
        answer.end,
        End::Whole,
        "the transport ends well, the stream does not"
    );
    assert_eq!(
        scripted(end, false).await.end,
        End::Early,
        "less came than the head promised"
    );
}

#[tokio::test]
async fn lines_end_as_told() {
    let crlf = Behaviour {
        crlf: true,
        ..Behaviour::default()
    };
    let text = scripted(crlf, true).await.text();
    assert!(text.contains("data: [DONE]\r\n\r\n"));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

#[tokio::test]
async fn a_split_answer_comes_byte_by_byte() {
    let split = Behaviour {
        split: true,
        ..Behaviour::default()
    };
    for stream in [false, true] {
        let simulator = Simulator::openai().await;
        simulator.script(split.clone());
        let body = question(Dialect::OpenAi, json!({"stream": stream})).to_string();
        let mut socket = open(&simulator, HEAD, &body).await;
        let mut largest = 0;
        let mut bytes = Vec::new();
        // the head may be one piece
        while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            socket.read_buf(&mut bytes).await.unwrap();
        }
        let head = bytes.len();
        loop {
            let mut piece = Vec::new();
            if socket.read_buf(&mut piece).await.unwrap() == 0 {
                break;
            }
            largest = largest.max(piece.len());
            bytes.extend(piece);
        }
        assert!(bytes.len() > head + 200);
        let answer = scripted(split.clone(), stream).await;
        if stream {
            assert!(answer.chunks.iter().all(|chunk| chunk.len() == 1));
        }
        assert!(answer.text().contains("🌍"), "the pieces make the whole");
        assert!(
            largest < 200,
            "a read brought {largest} bytes: writes were gathered"
        );
    }
}

#[tokio::test]
async fn malformed_is_no_json() {
    let malformed = Behaviour {
        malformed: true,
        ..Behaviour::default()
    };
    let stream = scripted(malformed.clone(), true).await.text();
    let mut data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    assert!(data.all(|data| serde_json::from_str::<Value>(data).is_err()));
    let whole = scripted(malformed, false).await;
    assert_eq!(whole.end, End::Whole);
    assert!(serde_json::from_str::<Value>(&whole.text()).is_err());
}

#[tokio::test]
async fn an_error_comes_in_the_stream_and_ends_it() {
    let error = Behaviour {
        error_after: Some(2),
        ..Behaviour::default()
    };
    let events = scripted(error.clone(), true).await.events();
    assert_eq!(
        (events.len(), &events[2]["error"]["type"]),
        (3, &json!("server_error"))
    );

    let simulator = Simulator::anthropic().await;
    simulator.script(error);
    let answer = anthropic(&simulator, json!({"stream": true})).await;
    assert!(
        answer.text().contains("event: error\ndata: {\"type\":\"error\""),
        "{}",
        answer.text()
    );
    assert!(!answer.text().contains("message_stop"));
}

#[tokio::test]
async fn faults_are_the_same_in_every_framing() {
    let stream = |name: &str| format!("streamGenerateContent{name}");
    let cut = Behaviour {
        cut_after: Some(3),
        ..Behaviour::default()
    };
    let error = Behaviour {
        error_after: Some(2),
        ..Behaviour::default()
    };

    let simulator = Simulator::ollama().await;
    simulator.script(cut.clone());
    let answer = ollama(&simulator, json!({"stream": true})).await;
    assert_eq!((answer.lines().len(), &answer.end), (3, &End::Reset));
    simulator.script(error.clone());
    let lines = ollama(&simulator, json!({"stream": true})).await.lines();
    assert!(lines.len() == 3 && lines[2]["error"].is_string(), "{lines:?}");

    let simulator = Simulator::gemini().await;
    simulator.script(cut);
    let answer = gemini(&simulator, &stream(""), json!({})).await;
    assert_eq!(
        (answer.text().matches("responseId").count(), &answer.end),
        (3, &End::Reset)
    );
    assert!(!answer.text().ends_with(']'), "an array that is cut is open");
    for (name, crlf) in [("", false), ("", true), ("?alt=sse", false)] {
        simulator.script(Behaviour {
            crlf,
            ..error.clone()
        });
        let answer = gemini(&simulator, &stream(name), json!({})).await;
        let chunks = if name.is_empty() {
            answer.json().as_array().unwrap().clone()
        } else {
            answer.events()
        };
        assert_eq!(
            (chunks.len(), &chunks[2]["error"]["status"]),
            (3, &json!("UNAVAILABLE"))
        );
    }

    let simulator = Simulator::responses().await;
    simulator.script(error);
    let events = responses(&simulator, json!({"stream": true})).await.events();
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["sequence_number"]),
        (&json!("error"), &json!(2))
    );
}

#[tokio::test]
async fn a_failure_is_worded_as_its_vendor_words_it() {
    let patient = Behaviour {
        retry_after: Some(7),
        ..Behaviour::status(429)
    };
    let table = [
        (
            Dialect::OpenAiResponses,
            "POST /v1/responses",
            "/error/code",
            json!("rate_limit_exceeded"),
        ),
        (
            Dialect::Gemini,
            "POST /v1beta/models/demo:generateContent",
            "/error/status",
            json!("RESOURCE_EXHAUSTED"),
        ),
        (
            Dialect::Gemini,
            "POST /v1beta/models/demo:generateContent",
            "/error/details/0/retryDelay",
            json!("7s"),
        ),
        (
            Dialect::Ollama,
            "POST /api/chat",
            "/error",
            json!("Rate limit reached, as asked. Please try again later."),
        ),
    ];
    for (dialect, line, pointer, expected) in table {
        let simulator = Simulator::start(dialect).await;
        simulator.script(patient.clone());
        let head = format!("{line} HTTP/1.1\r\nauthorization: Bearer k");
        let answer = send(&simulator, &head, &question(dialect, json!({})).to_string()).await;
        assert_eq!(answer.status, 429, "{dialect:?}");
        assert!(answer.head.contains("retry-after: 7"), "{}", answer.head);
        assert_eq!(
            answer.json().pointer(pointer),
            Some(&expected),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn the_other_mode_is_the_other_mode() {
    let whole = Behaviour {
        whole: true,
        ..Behaviour::default()
    };
    assert_eq!(scripted(whole, true).await.json()["object"], "chat.completion");
    let streamed = Behaviour {
        streamed: true,
        ..Behaviour::default()
    };
    assert!(frames(&scripted(streamed, false).await) > 10);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    for behaviour in [
        Behaviour {
            hang: true,
            ..Behaviour::default()
        },
        Behaviour {
            gap: Duration::from_secs(60),
            ..Behaviour::default()
        },
    ] {
        let simulator = Simulator::openai().await;
        simulator.script(behaviour.clone());
        let body = question(Dialect::OpenAi, json!({"stream": true})).to_string();
        let mut socket = open(&simulator, HEAD, &body).await;
        if behaviour.hang {
            until(|| simulator.requests().len() == 1).await;
        } else {
            socket.read_u8().await.unwrap();
        }
        assert!(!simulator.requests()[0].dropped, "{behaviour:?}");
        drop(socket);
        until(|| simulator.requests()[0].dropped).await;
    }
}

#[tokio::test]
async fn a_closed_simulator_refuses_connections_and_drops_the_open_ones() {
    let mut simulator = Simulator::openai().await;
    simulator.script(Behaviour {
        hang: true,
        ..Behaviour::default()
    });
    let body = question(Dialect::OpenAi, json!({})).to_string();
    let mut open = open(&simulator, HEAD, &body).await;
    until(|| simulator.requests().len() == 1).await;
    simulator.close().await;
    assert!(matches!(open.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    let refused = TcpStream::connect(simulator.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn scripts_are_used_up_in_order_and_then_the_models_name_decides() {
    let simulator = Simulator::openai().await;
    simulator.script(Behaviour::status(500));
    simulator.script(Behaviour::default());
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(openai(&simulator, json!({"model": "sim-fail-503"})).await.status);
    }
    assert_eq!(statuses, [500, 200, 503]);
}

async fn until(condition: impl Fn() -> bool) {
    let asked = Instant::now();
    while !condition() {
        assert!(asked.elapsed() < Duration::from_secs(10), "not in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
