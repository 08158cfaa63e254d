//! Files that are none, and names that lead elsewhere: refused, with nothing changed.

use axum::http::{Method, header};
use rusqlite::Connection;
use serde_json::json;

use super::{Kept, PATH, configure, revision, shown, upload};

/// A bundle with something done to it.
fn edited(bundle: &[u8], sql: &str) -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("edited.sqlite");
    std::fs::write(&path, bundle).unwrap();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().unwrap();
    std::fs::read(&path).unwrap()
}

#[tokio::test]
async fn a_file_that_is_no_bundle_changes_nothing() {
    let kept = Kept::start().await;
    configure(&kept.api).await;
    let good = kept.export("").await;
    let foreign = "drop table omniroute_bundle;";
    let corrupt = {
        let mut bytes = good.clone();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 3000].fill(0xA5);
        bytes
    };
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("corrupt", "backup.sqlite", corrupt),
        ("truncated", "backup.sqlite", good[..good.len() / 2].to_vec()),
        ("too small", "backup.sqlite", good[..1000].to_vec()),
        ("empty", "backup.sqlite", Vec::new()),
        ("no database", "backup.sqlite", vec![b'x'; 8192]),
        (
            "a table is missing",
            "backup.sqlite",
            edited(&good, "drop table combos;"),
        ),
        (
            "a view instead of a table",
            "backup.sqlite",
            edited(
                &good,
                "alter table combos rename to c; create view combos as select * from c;",
            ),
        ),
        (
            "changed after it was written",
            "backup.sqlite",
            edited(&good, "update combos set name = 'other' where name = 'outer';"),
        ),
        (
            "of the future",
            "backup.sqlite",
            edited(
                &good,
                "update omniroute_bundle set value = 'pg-bundle-v9' where key = 'format';",
            ),
        ),
        (
            "a circle of combos",
            "backup.sqlite",
            edited(
                &good,
                &format!(
                    "{foreign} update combos set data = json_set(data, '$.models[0]', 'outer') where name = 'inner';"
                ),
            ),
        ),
        (
            "JSON that is none",
            "backup.sqlite",
            edited(
                &good,
                &format!("{foreign} update api_keys set allowed_models = '[1';"),
            ),
        ),
        (
            "a value that is too large",
            "backup.sqlite",
            edited(
                &good,
                &format!("{foreign} update combos set data = hex(zeroblob(600000));"),
            ),
        ),
        (
            "a rule of the database is broken",
            "backup.sqlite",
            edited(
                &good,
                &format!("{foreign} update api_keys set id = 'x', omniroute_scopes = '[\"root\"]';"),
            ),
        ),
        ("wrong extension", "backup.json", good.clone()),
        ("a path", "../../backup.sqlite", good.clone()),
    ];
    let (before, head) = (shown(&kept.api).await, revision(&kept.api).await);
    for (what, name, bytes) in cases {
        let answer = upload(&kept.api, name, &bytes, &[]).await;
        let error = answer.expect_error(400, "VALIDATION_001");
        assert_eq!(error["details"][0]["field"], "file", "{what}: {error}");
        assert_eq!(revision(&kept.api).await, head, "{what}");
    }
    assert_eq!(shown(&kept.api).await, before);
    assert!(
        kept.backups().await.is_empty(),
        "nothing was replaced, so nothing was saved"
    );
    assert_eq!(kept.api.audited("backup.imported").await, 0);
    upload(&kept.api, "backup.sqlite", &good, &[]).await.expect(200);
}

#[tokio::test]
async fn what_a_form_may_hold_is_checked() {
    let kept = Kept::start().await;
    let good = kept.export("").await;
    for (field, value) in [("mode", "append"), ("dryRun", "maybe"), ("overwrite", "true")] {
        let answer = kept.import(&good, &[(field, value)]).await;
        let error = answer.expect_error(400, "VALIDATION_001");
        assert_eq!(error["details"][0]["field"], field);
    }
    let mut request = kept
        .api
        .request(Method::POST, &format!("{PATH}/import"), Some(json!({})));
    kept.api.send(request).await.expect_error(415, "VALIDATION_003");
    request = kept.api.request(Method::POST, &format!("{PATH}/import"), None);
    let media = "multipart/form-data; boundary=x".parse().unwrap();
    request.headers_mut().insert(header::CONTENT_TYPE, media);
    *request.body_mut() = "--x--\r\n".into();
    let answer = kept.api.send(request).await;
    assert_eq!(
        answer.expect_error(400, "VALIDATION_002")["details"][0]["field"],
        "file"
    );
}

#[tokio::test]
async fn a_file_of_more_than_a_hundred_mebibytes_is_not_read_to_its_end() {
    let kept = Kept::start().await;
    let large = vec![0; 100 * 1024 * 1024 + 1];
    let answer = kept.import(&large, &[]).await;
    answer.expect_error(413, "LIMIT_001");
}

#[tokio::test]
async fn a_restore_names_a_backup_and_no_other_file() {
    let kept = Kept::start().await;
    let head = revision(&kept.api).await;
    for id in [
        "../secrets.json",
        "db_x/../../secrets_a.sqlite",
        "db_2026_manual.json",
        "",
    ] {
        let answer = kept.api.post(PATH, json!({ "backupId": id })).await;
        let error = answer.expect_error(400, "VALIDATION_001");
        assert_eq!(error["details"][0]["field"], "backupId");
    }
    let absent = json!({ "backupId": "db_2026-01-01T00-00-00-000Z_auto.sqlite" });
    kept.api
        .post(PATH, absent)
        .await
        .expect_error(404, "RESOURCE_001");
    kept.api
        .post(PATH, json!({}))
        .await
        .expect_error(400, "VALIDATION_002");

    let created = kept.api.put(PATH, json!({})).await.expect(200).clone();
    let path = kept.place.path().join(created["id"].as_str().unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(6000);
    std::fs::write(&path, bytes).unwrap();
    let answer = kept.api.post(PATH, json!({ "backupId": created["id"] })).await;
    answer.expect_error(422, "BACKUP_CORRUPT");
    assert_eq!(revision(&kept.api).await, head);
}
