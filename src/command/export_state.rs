//! `export-state`: prints what the store knows of the tenants, for another daemon to take over.

use std::path::Path;

use anyhow::anyhow;

use crate::exit::Exit;
use crate::store;

use super::{failed, finish, load};

pub(super) fn export_state(path: &Path, tenant: Option<&str>, elsewhere: bool) -> Exit {
    let config = match load(path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let is_wanted = |name: &str| {
        let is_elsewhere = !elsewhere || config.elsewhere.contains(name);
        is_elsewhere && tenant.is_none_or(|tenant| tenant == name)
    };
    let state = match store::export(&config.storage.path, is_wanted) {
        Ok(state) => state,
        Err(error) => return failed(&error.into()),
    };
    if let Some(tenant) = tenant.filter(|_| state.is_empty()) {
        return failed(&anyhow!("export tenant `{tenant}`: the store `{}` knows none", config.storage.path.display()));
    }
    match serde_json::to_string(&state) {
        Ok(text) => finish(&format!("{text}\n"), Exit::Success),
        Err(error) => failed(&error.into()),
    }
}
