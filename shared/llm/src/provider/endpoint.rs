//! Where the requests of one account go: what the registry knows of its provider, and what an operator said about the
//! account.

use super::ProviderSpec;
use thiserror::Error;

/// How long the name of a region or a project may be.
const NAME_BYTES: usize = 100;

/// How a provider's address depends on where an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regions {
    /// Of accounts that say nothing.
    pub default: &'static str,
    /// The address of a region, with `{region}` in it; empty where an address always comes from the user.
    pub address: &'static str,
    /// Regions whose address is another one.
    pub others: &'static [(&'static str, &'static str)],
    /// Between the address and every path, with `{region}` and `{project}` in it; else empty.
    pub root: &'static str,
}

/// What an operator says about where an account is. Empty: as the registry has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whereabouts<'a> {
    /// Without a trailing slash.
    pub base_url: &'a str,
    pub region: &'a str,
    pub project: &'a str,
    pub api_version: &'a str,
}

/// Why there is no address, in words for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoEndpoint {
    #[error("the address needs a project: say it as providerSpecificData.project")]
    Project,
    #[error("a region is lower-case letters, digits and hyphens")]
    Region,
    #[error("a project is letters, digits and . : _ -")]
    ProjectName,
    #[error("an API version is letters, digits and . _ -")]
    ApiVersion,
}

/// What the paths of one account are appended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
    /// Belongs to every address; may be empty.
    query: String,
    /// What the operator said, not what the address implies.
    region: Option<String>,
}

// === impl Endpoint ===

impl Endpoint {
    pub fn of(spec: &ProviderSpec, whereabouts: Whereabouts<'_>) -> Result<Self, NoEndpoint> {
        let Whereabouts {
            base_url,
            region,
            project,
            api_version,
        } = whereabouts;
        check(region, "-", NoEndpoint::Region)?;
        check(project, ".:_-", NoEndpoint::ProjectName)?;
        check(api_version, "._-", NoEndpoint::ApiVersion)?;
        let mut base = match (base_url.trim_end_matches('/'), spec.regions) {
            ("", Some(regions)) if !region.is_empty() => regions.address_of(region),
            ("", _) => spec.base_url.to_owned(),
            (own, _) => own.to_owned(),
        };
        if let Some(regions) = spec.regions {
            if regions.root.contains("{project}") && project.is_empty() {
                return Err(NoEndpoint::Project);
            }
            let region = Some(region).filter(|name| !name.is_empty());
            let root = regions
                .root
                .replace("{region}", region.unwrap_or(regions.default))
                .replace("{project}", project);
            base.push_str(&root);
        }
        let version = match (spec.api_version, api_version) {
            (None, _) => "",
            (Some(usual), "") => usual,
            (Some(_), own) => own,
        };
        Ok(Self {
            base,
            query: match version {
                "" => String::new(),
                version => format!("api-version={version}"),
            },
            region: Some(region.to_owned()).filter(|name| !name.is_empty()),
        })
    }

    /// The address of a path of [`ProviderSpec`], which may have a query of its own.
    pub fn url(&self, path: &str) -> String {
        let Self { base, query, .. } = self;
        let joint = match (query.is_empty(), path.contains('?')) {
            (true, _) => return format!("{base}{path}"),
            (false, false) => '?',
            (false, true) => '&',
        };
        format!("{base}{path}{joint}{query}")
    }

    /// Without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

// === impl Regions ===

impl Regions {
    fn address_of(&self, region: &str) -> String {
        let other = self.others.iter().find(|(name, _)| *name == region);
        match other {
            Some((_, address)) => (*address).to_owned(),
            None => self.address.replace("{region}", region),
        }
    }
}

/// It becomes part of an address, which it must not end or lead elsewhere.
fn check(name: &str, beside: &str, refusal: NoEndpoint) -> Result<(), NoEndpoint> {
    let legal = |c: char| c.is_ascii_alphanumeric() || beside.contains(c);
    let is_name = name.len() <= NAME_BYTES && name.chars().all(legal) && !name.starts_with(['.', '-']);
    let is_region = refusal != NoEndpoint::Region || !name.chars().any(|c| c.is_ascii_uppercase());
    match is_name && is_region {
        true => Ok(()),
        false => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers;

    fn whereabouts<'a>(base_url: &'a str, region: &'a str, project: &'a str) -> Whereabouts<'a> {
        Whereabouts {
            base_url,
            region,
            project,
            api_version: "",
        }
    }

    fn endpoint(provider: &str, whereabouts: Whereabouts<'_>) -> Result<String, NoEndpoint> {
        let spec = providers::find(provider).unwrap();
        Endpoint::of(spec, whereabouts).map(|endpoint| endpoint.url("/x"))
    }

    #[test]
    fn the_region_of_an_account_leads_to_the_address_of_that_region() {
        for (provider, base_url, region, project, url) in [
            ("openai", "", "", "", "https://api.openai.com/v1/x"),
            ("openai", "https://own.example/", "", "", "https://own.example/x"),
            (
                "bedrock",
                "",
                "",
                "",
                "https://bedrock-runtime.us-east-1.amazonaws.com/x",
            ),
            (
                "bedrock",
                "",
                "eu-central-1",
                "",
                "https://bedrock-runtime.eu-central-1.amazonaws.com/x",
            ),
            (
                "bedrock",
                "https://vpce.example",
                "eu-central-1",
                "",
                "https://vpce.example/x",
            ),
            (
                "vertex",
                "",
                "",
                "p",
                "https://aiplatform.googleapis.com/v1/projects/p/locations/global/x",
            ),
            (
                "vertex",
                "",
                "europe-west4",
                "p",
                "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/x",
            ),
            (
                "vertex",
                "",
                "eu",
                "p",
                "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/x",
            ),
            (
                "vertex-anthropic",
                "http://127.0.0.1:1",
                "us-east5",
                "p",
                "http://127.0.0.1:1/v1/projects/p/locations/us-east5/x",
            ),
        ] {
            let found = endpoint(provider, whereabouts(base_url, region, project));
            assert_eq!(found.as_deref(), Ok(url), "{provider}");
        }
        assert_eq!(
            endpoint("vertex", whereabouts("", "", "")),
            Err(NoEndpoint::Project)
        );
    }

    #[test]
    fn what_would_lead_elsewhere_is_no_name() {
        for (region, project, refusal) in [
            ("evil.example/", "", NoEndpoint::Region),
            ("US", "", NoEndpoint::Region),
            ("", "../x", NoEndpoint::ProjectName),
            ("", "a/b", NoEndpoint::ProjectName),
        ] {
            assert_eq!(endpoint("vertex", whereabouts("", region, project)), Err(refusal));
        }
    }

    #[test]
    fn an_api_version_is_in_every_address_of_who_takes_one() {
        let with = |node_type: &str, api_type: &str, version: &str| {
            let spec = providers::compatible(node_type, api_type).unwrap();
            let whereabouts = Whereabouts {
                base_url: "https://r.example",
                api_version: version,
                ..Whereabouts::default()
            };
            let endpoint = Endpoint::of(spec, whereabouts).unwrap();
            (endpoint.url("/a"), endpoint.url("/a?b=c"))
        };
        let plain = (
            "https://r.example/a".to_owned(),
            "https://r.example/a?b=c".to_owned(),
        );
        assert_eq!(with("azure-compatible", "chat", ""), plain);
        assert_eq!(with("openai-compatible", "chat", "preview"), plain);
        assert_eq!(
            with("azure-compatible", "chat", "preview").1,
            "https://r.example/a?b=c&api-version=preview"
        );
        assert_eq!(
            with("azure-compatible", "deployments", "").0,
            "https://r.example/a?api-version=2024-10-21"
        );
        assert_eq!(
            with("azure-compatible", "deployments", "2025-04-01-preview").0,
            "https://r.example/a?api-version=2025-04-01-preview"
        );
    }
}
