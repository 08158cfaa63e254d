use super::*;

#[test]
fn weak_secrets_are_refused_with_the_name_of_the_variable() {
    let weak = [
        "",
        "short",
        "changeme-changeme-changeme-changeme",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "secret-password-secret-password-1",
    ];
    for value in weak {
        let error = check_secret("JWT_SECRET", &Secret::new(value.to_owned()), 32).unwrap_err();
        assert!(error.to_string().starts_with("JWT_SECRET "), "{error}");
    }
    let strong = Secret::new("vS3l0Cq9bTn8yHk2wXe7uRz4mPa6fGd1".to_owned());
    assert!(check_secret("JWT_SECRET", &strong, 32).is_ok());
}

#[test]
fn a_first_password_that_everybody_knows_is_refused() {
    let strong = || Secret::new("vS3l0Cq9bTn8yHk2wXe7uRz4mPa6fGd1".to_owned());
    let starts_with = |password: &str| {
        let config = ApiConfig {
            jwt_secret: strong(),
            api_key_secret: strong(),
            storage_encryption_key: strong(),
            initial_password: Some(Secret::new(password.to_owned())),
            ..ApiConfig::default()
        };
        config.check().map_err(|error| error.to_string())
    };
    for known in [
        "123456",
        "CHANGEME",
        "change-me!",
        "password",
        "Password123456",
        "omniroute-12",
    ] {
        let error = starts_with(known).unwrap_err();
        assert!(error.starts_with("INITIAL_PASSWORD "), "{known}: {error}");
        assert!(!error.contains(known), "{error}");
    }
    assert_eq!(starts_with("the password of the tests"), Ok(()));
}

#[test]
fn single_sign_on_that_cannot_work_is_refused_with_the_name_of_the_variable() {
    let mut oidc = OidcConfig::default();
    assert_eq!(oidc.check(), Ok(()));
    oidc.issuer = Some("id.example".to_owned());
    assert_eq!(oidc.check(), Err(IncompleteOidc::Issuer("id.example".to_owned())));
    oidc.issuer = Some("https://id.example".to_owned());
    assert_eq!(oidc.check(), Err(IncompleteOidc::Client));
    oidc.client_id = "gateway".to_owned();
    assert_eq!(oidc.check(), Err(IncompleteOidc::RedirectUrl));
    oidc.redirect_url = Some("https://here.example/api/auth/oidc/callback".parse().unwrap());
    assert_eq!(oidc.check(), Ok(()));
}

#[test]
fn an_open_dashboard_needs_a_loopback_listener_or_a_decision() {
    let mut config = ApiConfig::default();
    assert!(config.may_be_open("127.0.0.1:1".parse().unwrap()));
    assert!(!config.may_be_open("0.0.0.0:1".parse().unwrap()));
    config.allow_open_dashboard = true;
    assert!(config.may_be_open("0.0.0.0:1".parse().unwrap()));
}
