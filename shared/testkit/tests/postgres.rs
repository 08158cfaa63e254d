//! A database lives as long as its test.

use sqlx::{Connection, PgConnection};
use testkit::service;

#[tokio::test]
async fn a_database_is_fresh_and_goes_with_its_test() {
    let (one, other) = (service::postgres().await, service::postgres().await);
    let mut connection = PgConnection::connect(&one.url()).await.unwrap();
    sqlx::raw_sql("create table t ()")
        .execute(&mut connection)
        .await
        .unwrap();
    let mut elsewhere = PgConnection::connect(&other.url()).await.unwrap();
    sqlx::raw_sql("select from t")
        .execute(&mut elsewhere)
        .await
        .unwrap_err();

    let url = one.url();
    drop(one);
    PgConnection::connect(&url).await.unwrap_err();
}
