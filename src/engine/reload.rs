//! How the loop takes over another configuration: what stays keeps its standing. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Notice, retire};
use crate::config::{Config, TokenId};

use super::core::{Core, Tenant};
use super::effect::{Effect, WatchKey};

impl Core {
    /// Takes over another configuration: what stays keeps its standing, what goes is resolved, what is new is due.
    pub(super) fn reload(&mut self, config: Arc<Config>, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.config = config;
        let mut known: HashMap<TokenId, WatchKey> =
            self.watches.iter().map(|(key, watch)| (watch.token.id(), *key)).collect();
        let mut gone: BTreeMap<String, Tenant> = std::mem::take(&mut self.tenants);
        for token in &Arc::clone(&self.config).tokens {
            let name = &token.tenant.name;
            if let Some(tenant) = gone.remove(name) {
                self.tenants.insert(name.clone(), Tenant { members: Vec::new(), firing: tenant.firing });
            }
            let Some(key) = known.remove(&token.id()) else {
                self.add(Arc::clone(token), now);
                continue;
            };
            self.tenants.entry(name.clone()).or_default().members.push(key);
            if let Some(watch) = self.watches.get_mut(&key) {
                watch.look_now |= watch.token != *token;
                watch.token = Arc::clone(token);
            }
            self.review(key, now, effects);
        }
        for (id, key) in known {
            effects.extend(self.retire(&id, key).into_iter().map(Effect::Tell));
        }
        for (name, mut tenant) in gone {
            let id = TokenId { tenant: name, token_name: String::new() };
            effects.extend(retire(&id, &mut tenant.firing).into_iter().map(Effect::Tell));
        }
    }

    fn retire(&mut self, id: &TokenId, key: WatchKey) -> Vec<Notice> {
        let Some(mut watch) = self.watches.remove(&key) else { return Vec::new() };
        self.unseen.remove(&key);
        self.agenda.remove(&(watch.wake, key));
        if let Some((queue, at)) = watch.waiting {
            self.waiting.remove(&(queue, at, key));
        }
        retire(id, Arc::make_mut(&mut watch.firing))
    }
}
