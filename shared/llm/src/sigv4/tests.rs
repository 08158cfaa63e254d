use super::*;

/// 2015-08-30T12:36:00Z, the time of AWS's test suite.
const AT: u64 = 1_440_938_160;
const SECRET: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const OF_SUITE: Scope<'_> = Scope {
    region: "us-east-1",
    service: "service",
};

type Headers = [(&'static str, &'static str)];

fn signed(secret: &str, request: &Signable<'_>) -> Vec<(&'static str, String)> {
    sign(request, &Credentials::parse(secret).unwrap(), OF_SUITE, AT)
}

fn signature(secret: &str, request: &Signable<'_>) -> String {
    let headers = signed(secret, request);
    let (name, value) = headers.last().unwrap();
    assert_eq!(*name, "authorization");
    value.rsplit_once("Signature=").unwrap().1.to_owned()
}

/// The signatures are those of AWS's test suite, as its C library keeps it (`aws-signing-test-suite/v4`); the name of
/// each case is the folder's there.
#[test]
fn requests_are_signed_as_aws_signs_them() {
    let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (of_path, of_query) = (format!("/{unreserved}"), format!("{unreserved}={unreserved}"));
    let plain = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let param = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11";
    for (case, method, path, query, expected) in [
        ("get-vanilla", "GET", "/", "", plain),
        ("get-relative-normalized", "GET", "/example/..", "", plain),
        (
            "get-relative-relative-normalized",
            "GET",
            "/example1/example2/../..",
            "",
            plain,
        ),
        ("get-slash-dot-slash-normalized", "GET", "/./", "", plain),
        ("get-slash-normalized", "GET", "//", "", plain),
        (
            "get-slash-pointless-dot-normalized",
            "GET",
            "/./example",
            "",
            "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
        ),
        (
            "get-slashes-normalized",
            "GET",
            "//example//",
            "",
            "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
        ),
        (
            "get-space-normalized",
            "GET",
            "/example space/",
            "",
            "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
        ),
        (
            "get-unreserved",
            "GET",
            &of_path,
            "",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "get-utf8",
            "GET",
            "/\u{1234}",
            "",
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        ),
        (
            "get-vanilla-empty-query-key",
            "GET",
            "/",
            "Param1=value1",
            "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
        ),
        (
            "get-vanilla-query-order-encoded",
            "GET",
            "/",
            "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/",
            "Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-query-unreserved",
            "GET",
            "/",
            &of_query,
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
        ),
        (
            "get-vanilla-utf8-query",
            "GET",
            "/",
            "\u{1234}=bar",
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        (
            "post-vanilla",
            "POST",
            "/",
            "",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        ("post-vanilla-query", "POST", "/", "Param1=value1", param),
        (
            "post-vanilla-empty-query-value",
            "POST",
            "/",
            "Param1=value1",
            param,
        ),
    ] {
        let request = Signable {
            method,
            path,
            query,
            headers: &[("Host", "example.amazonaws.com")],
            payload: b"",
        };
        assert_eq!(signature(SECRET, &request), expected, "{case}");
    }
}

#[test]
fn headers_are_signed_as_aws_signs_them() {
    let host = ("Host", "example.amazonaws.com");
    let mine = |value| ("My-Header1", value);
    let cases: [(&str, &str, &Headers, &str); 6] = [
        (
            "get-header-key-duplicate",
            "GET",
            &[host, mine("value2"), mine("value2"), mine("value1")],
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            "get-header-value-multiline",
            "GET",
            &[host, mine("value1\n  value2\n     value3")],
            "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd",
        ),
        (
            "get-header-value-order",
            "GET",
            &[
                host,
                mine("value4"),
                mine("value1"),
                mine("value3"),
                mine("value2"),
            ],
            "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
        ),
        (
            "get-header-value-trim",
            "GET",
            &[host, mine(" value1"), ("My-Header2", " \"a   b   c\"")],
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "post-header-key-sort",
            "POST",
            &[host, mine("value1")],
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        (
            "post-header-value-case",
            "POST",
            &[host, mine("VALUE1")],
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
        ),
    ];
    for (case, method, headers, expected) in cases {
        let request = Signable {
            method,
            path: "/",
            query: "",
            headers,
            payload: b"",
        };
        assert_eq!(signature(SECRET, &request), expected, "{case}");
    }
}

#[test]
fn bodies_are_signed_as_aws_signs_them() {
    for (case, kind, expected) in [
        (
            "post-x-www-form-urlencoded",
            "application/x-www-form-urlencoded",
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
        (
            "post-x-www-form-urlencoded-parameters",
            "application/x-www-form-urlencoded; charset=utf-8",
            "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
        ),
    ] {
        let hash = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
        let request = Signable {
            method: "POST",
            path: "/",
            query: "",
            headers: &[
                ("Content-Type", kind),
                ("Host", "example.amazonaws.com"),
                ("Content-Length", "13"),
                ("x-amz-content-sha256", hash),
            ],
            payload: b"Param1=value1",
        };
        assert_eq!(signature(SECRET, &request), expected, "{case}");
    }
}

/// `get-vanilla-with-session-token` of the suite.
#[test]
fn the_token_of_temporary_credentials_is_sent_and_signed() {
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    let request = Signable {
        method: "GET",
        path: "/",
        query: "",
        headers: &[("Host", "example.amazonaws.com")],
        payload: b"",
    };
    let headers = signed(&format!("{SECRET}:{token}"), &request);
    assert_eq!(
        headers,
        [
            ("x-amz-date", "20150830T123600Z".to_owned()),
            ("x-amz-security-token", token.to_owned()),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date;x-amz-security-token, \
                 Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
                    .to_owned()
            ),
        ]
    );
}

#[test]
fn a_model_in_the_path_is_encoded_twice_in_what_is_signed() {
    let request = Signable {
        method: "POST",
        path: "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fa.b-v1%3A0/converse",
        query: "",
        headers: &[("host", "h")],
        payload: b"{}",
    };
    let text = canonical::request(&request, request.headers);
    assert_eq!(
        text.lines().nth(1),
        Some(
            "/model/arn%253Aaws%253Abedrock%253Aus-east-1%253A%253Afoundation-model%252Fa.b-v1%253A0/converse"
        )
    );
}

#[test]
fn credentials_are_told_from_keys_that_are_sent_as_they_are() {
    let id = |text: &str| Credentials::parse(text).map(|credentials| credentials.access_key_id);
    assert_eq!(id(" AKIDEXAMPLE:secret/+ ").as_deref(), Some("AKIDEXAMPLE"));
    assert_eq!(id("ASIAEXAMPLE:secret:token==").as_deref(), Some("ASIAEXAMPLE"));
    for other in [
        "",
        "ABSKQmVkcm9ja0FQSUtleQ==",
        "bedrock-api-key-YmVk",
        "AKID:",
        ":secret",
        "a:b:",
        "a:b:c:d",
        "a b:c",
        "a:\u{e9}",
    ] {
        assert_eq!(id(other), None, "{other}");
    }
    let debugged = format!("{:?}", Credentials::parse("AKIDEXAMPLE:secret:token"));
    assert!(
        !debugged.contains("secret") && !debugged.contains("token"),
        "{debugged}"
    );
}

#[test]
fn a_region_is_read_from_the_names_of_awss_own_hosts() {
    for (host, region) in [
        ("bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
        (
            "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
            Some("us-gov-west-1"),
        ),
        ("bedrock-runtime.eu-central-2.api.aws", Some("eu-central-2")),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
        (
            "vpce-0a1-b2.bedrock-runtime.ap-southeast-4.vpce.amazonaws.com",
            Some("ap-southeast-4"),
        ),
        ("bedrock.us-east-1.example.com", None),
        ("bedrock-runtime.amazonaws.com", None),
        ("localhost", None),
    ] {
        assert_eq!(region_of(host), region, "{host}");
    }
}
