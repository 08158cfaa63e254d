//! All of it in one archive.

use std::io::Read;

use axum::http::Method;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::{CREDENTIAL, Kept, PATH, PROXY_PASSWORD, configure, download, password};

#[tokio::test]
async fn an_archive_has_six_entries_and_no_secret() {
    let kept = Kept::start().await;
    let key = configure(&kept.api).await;
    let request = kept.api.request(Method::GET, &format!("{PATH}/exportAll"), None);
    let file = download(&kept.api, request).await;
    assert_eq!(file.status, 200);
    assert_eq!(file.headers["content-type"], "application/gzip");
    let disposition = file.headers["content-disposition"].to_str().unwrap();
    assert!(disposition.contains("omniroute-full-backup-20"), "{disposition}");

    let mut archive = tar::Archive::new(GzDecoder::new(file.bytes.as_slice()));
    let mut entries = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.push((path, bytes));
    }
    let names: Vec<&str> = entries
        .iter()
        .map(|(path, _)| {
            let (folder, name) = path.split_once('/').unwrap();
            assert!(folder.starts_with("omniroute-export-20"), "{folder}");
            name
        })
        .collect();
    let expected = [
        "storage.sqlite",
        "settings.json",
        "combos.json",
        "providers.json",
        "api-keys.json",
        "metadata.json",
    ];
    assert_eq!(names, expected);

    let hash = password(&kept.api).await.unwrap();
    for (path, bytes) in &entries {
        for secret in [CREDENTIAL, PROXY_PASSWORD, key.as_str(), hash.as_str()] {
            let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!is_there, "{secret} in {path}");
        }
    }
    let json = |at: usize| -> Value { serde_json::from_slice(&entries[at].1).unwrap() };
    assert_eq!(json(1)["settings"]["fallbackStrategy"], "round-robin");
    assert_eq!(json(1)["modelAliases"]["fast"], "openai/gpt-4o");
    assert_eq!(json(2)[0]["name"], "inner");
    assert_eq!(json(3).as_array().unwrap().len(), 3);
    assert_eq!(json(4)[0]["prefix"], key[..8]);
    assert_eq!(json(5)["format"], "omniroute-full-backup-v1");
    assert_eq!(json(5)["contents"].as_array().unwrap().len(), 6);
    kept.import(&entries[0].1, &[]).await.expect(200);
}
