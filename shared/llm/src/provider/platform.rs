//! A dialect's body in the form that somebody else's platform wants it in.

use crate::head::Head;
use bytes::Bytes;

/// What moves between the address, the headers and the body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// A member of the body that is in the address instead.
    pub in_address: &'static str,
    pub version: Version,
}

/// A header whose value is a member of the body instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub header: &'static str,
    pub member: &'static str,
    /// Versions with a name of their own there.
    pub names: &'static [(&'static str, &'static str)],
}

// === impl Platform ===

impl Platform {
    /// The body as it is sent; what moved into it is taken from the headers. A body that is no object stays as it is.
    pub fn dress(&self, body: &Bytes, headers: &mut Vec<(&'static str, String)>) -> Bytes {
        let Ok(head) = Head::read(body) else {
            return body.clone();
        };
        let without = head.without(self.in_address);
        self.version.put(&without, headers)
    }

    /// The same for a request whose address names no model.
    pub fn dress_counted(&self, body: &Bytes, headers: &mut Vec<(&'static str, String)>) -> Bytes {
        self.version.put(body, headers)
    }
}

// === impl Version ===

impl Version {
    fn put(&self, body: &Bytes, headers: &mut Vec<(&'static str, String)>) -> Bytes {
        let Some(at) = headers.iter().position(|(name, _)| *name == self.header) else {
            return body.clone();
        };
        let Ok(head) = Head::read(body) else {
            return body.clone();
        };
        let (_, version) = headers.remove(at);
        let named = self.names.iter().find(|(common, _)| *common == version);
        let version = named.map_or(version.as_str(), |(_, own)| own);
        let version = serde_json::Value::from(version).to_string();
        head.with(&[(self.member, &version)])
    }
}

#[cfg(test)]
mod tests {
    use crate::providers;
    use bytes::Bytes;

    #[test]
    fn a_message_on_vertex_has_its_version_inside_and_its_model_outside() {
        let platform = providers::find("vertex-anthropic").unwrap().platform.unwrap();
        for (version, there) in [("2023-06-01", "vertex-2023-10-16"), ("2026-10-21", "2026-10-21")] {
            let mut headers = vec![
                ("accept", "application/json".to_owned()),
                ("anthropic-version", version.to_owned()),
            ];
            let body = Bytes::from_static(br#"{"max_tokens":1, "model" : "m","x":1.0,"model":"n"}"#);
            let sent = platform.dress(&body, &mut headers);
            assert_eq!(
                sent,
                format!(r#"{{"anthropic_version":"{there}","max_tokens":1,"x":1.0}}"#)
            );
            assert_eq!(headers, [("accept", "application/json".to_owned())]);
        }
    }

    #[test]
    fn what_is_counted_keeps_its_model() {
        let platform = providers::find("vertex-anthropic").unwrap().platform.unwrap();
        let mut headers = vec![("anthropic-version", "2023-06-01".to_owned())];
        let sent = platform.dress_counted(&Bytes::from_static(br#"{"model":"m"}"#), &mut headers);
        assert_eq!(sent, r#"{"anthropic_version":"vertex-2023-10-16","model":"m"}"#);
    }
}
