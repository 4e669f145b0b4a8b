//! What is answered to one request, as Syncro's API document says. Pure.

use serde_json::{Value, json};

use crate::operations::{Operation, find};
use crate::scenario::{Group, Tenant, Ticket, Token, User};
use crate::world::{Answer, Asked};

/// What `/me` answers as `user_token`: a value that nobody asked for and nobody may keep.
pub const USER_TOKEN: &str = "5ec7e700-51a1-4ed0-90de-0123456789ab";

/// The sentence of Syncro's documented 401 (`/contacts`).
const NOT_AUTHORIZED: &str = "Not authorized. Please ask account admin to update your group permissions.";

/// Rights of `/me.permissions`: the permission that each is named for, and the others of its kind.
const RIGHTS: [(&str, &str, &str, &[&str]); 19] = [
    ("asset", "read", "Assets - List/Search", &["Assets - View Details"]),
    ("asset", "write", "Assets - Edit", &["Assets - Create", "Assets - Policy Change"]),
    ("asset", "delete", "Assets - Delete", &[]),
    ("customer", "read", "Customers - List/Search", &["Customers - View Detail"]),
    ("customer", "write", "Customers - Edit", &["Customers - Create"]),
    ("customer", "delete", "Customers - Delete", &[]),
    ("ticket", "read", "Tickets - List/Search", &["Tickets - View Details"]),
    ("ticket", "write", "Tickets - Edit", &["Tickets - Create", "Ticket Comments - New"]),
    ("ticket", "delete", "Tickets - Delete", &[]),
    ("invoice", "read", "Invoices - List/Search", &["Invoices - View Details"]),
    ("invoice", "write", "Invoices - Edit", &["Invoices - Create"]),
    ("invoice", "delete", "Invoices - Delete", &[]),
    ("payment", "read", "Payments - View List", &[]),
    ("payment", "write", "Payments - Create", &[]),
    ("payment", "delete", "Payments - Delete", &[]),
    ("worksheet", "add", "Ticket Worksheets - Add", &[]),
    ("worksheet", "manage", "Ticket Worksheets - Manage", &[]),
    ("worksheet", "delete", "Ticket Worksheets - Delete", &[]),
    ("script", "execute", "Scripts - Execute", &[]),
];

/// The answer to one request below a tenant's API.
pub(super) fn answer(tenant: &Tenant, method: &str, asked: &Asked<'_>) -> Answer {
    let path = asked.path;
    let value = asked.authorization.strip_prefix("Bearer ").unwrap_or(asked.authorization);
    let token = tenant.tokens.iter().find(|token| token.value == value && !token.refused);
    let user = token.and_then(|token| tenant.users.iter().find(|user| user.id == token.user));
    let (Some(token), Some(user)) = (token, user) else {
        return (401, json!({"error": "Invalid token"}));
    };
    if token.restricted {
        return (401, json!({"error": NOT_AUTHORIZED}));
    }
    let is_off = tenant.modules_off.iter().any(|module| path.starts_with(module.as_str()));
    let Some(operation) = find(method, path, asked.sole_key.as_deref()).filter(|_| !is_off) else {
        return (404, json!({"message": "Not found"}));
    };
    if tenant.record_first && path.split('/').any(|part| part == "0") {
        return (404, json!({"message": "Not found"}));
    }
    let by_group =
        |permission: &str| user.admin || groups(tenant, user).any(|group| group.permissions.holds(permission));
    let may = |permission: &str| {
        if permission == "Global Admin" {
            user.admin
        } else {
            token.permissions.holds(permission) && by_group(permission)
        }
    };
    let is_narrowed =
        tenant.narrows && matches!(operation.path.as_str(), "/appointments" | "/canned_responses/settings");
    let lets_through = |group: &Vec<String>| group.iter().any(|permission| may(permission));
    if !is_narrowed && !operation.requires.iter().all(lets_through) {
        return (401, json!({"error": NOT_AUTHORIZED}));
    }
    let body = match (operation.path.as_str(), method) {
        ("/me", _) => me(tenant, token, user, by_group),
        ("/users", _) => users(tenant, asked.query),
        ("/users/{id}", _) => return by_number(path, &tenant.users, |user| user.id, who),
        ("/customers", "GET") => {
            json!({"customers": [], "meta": {"total_pages": 1, "total_entries": tenant.customers, "per_page": 25, "page": 1}})
        }
        ("/tickets", "GET") => tickets(tenant),
        ("/tickets/{id}", "GET") => return ticket(tenant, path, user, may("Tickets - View Details")),
        ("/canned_responses/settings", "GET") => {
            json!({"canned_response_categories": [], "subjects": [], "can_manage": may("Ticket Canned Responses - Manage")})
        }
        ("/appointments", "GET") => {
            let sees_all = may("Appointments - View All (see-own never restricted)");
            let shown = tenant.appointments.iter().filter(|entry| sees_all || entry.user == Some(user.id));
            let entry = |entry: &Ticket| json!({"appointment": {"id": entry.id, "user_id": entry.user}});
            json!({"appointments": shown.map(entry).collect::<Vec<_>>()})
        }
        ("/timelogs/last", "GET") => {
            let asked = asked.query.strip_prefix("user_id=").and_then(|id| id.parse().ok());
            let of = asked.filter(|_| may("Timelogs - Manage")).unwrap_or(user.id);
            json!({"id": 1, "user_id": of, "in_note": null, "out_note": null})
        }
        _ => return record(tenant, operation, path),
    };
    (200, body)
}

fn groups<'a>(tenant: &'a Tenant, user: &'a User) -> impl Iterator<Item = &'a Group> {
    let is_of = |group: &&Group| Some(&group.name) == user.group.as_ref() || user.more_groups.contains(&group.name);
    tenant.groups.iter().filter(is_of)
}

fn me(tenant: &Tenant, token: &Token, user: &User, by_group: impl Fn(&str) -> bool) -> Value {
    let mut permissions = serde_json::Map::new();
    for (group, right, named, others) in RIGHTS {
        let has = by_group(named) || tenant.coarse_rights && others.iter().any(|other| by_group(other));
        permissions.entry(group).or_insert_with(|| json!({}))[right] = json!(has);
    }
    json!({
        "user_token": USER_TOKEN,
        "user_email": "simulated@example.com",
        "user_name": "Simulated User",
        "user_id": user.id,
        "admin": user.admin,
        "can_use_app": !user.locked_out,
        "two_factor_required": false,
        "subdomain": token.subdomain.as_ref().unwrap_or(&tenant.subdomain),
        "default_location": null,
        "enable_multi_locations": false,
        "locations_allowed": [],
        "permissions": permissions,
    })
}

fn users(tenant: &Tenant, query: &str) -> Value {
    let listed = tenant.users.iter().filter(|user| !user.disabled || tenant.lists_disabled_users);
    let listed: Vec<_> = listed.map(|user| json!([user.id, "Simulated User"])).collect();
    let Some(size) = tenant.users_per_page.filter(|size| *size > 0) else { return json!({"users": listed}) };
    let page: usize = query.strip_prefix("page=").and_then(|page| page.parse().ok()).unwrap_or(1);
    let shown: Vec<_> = listed.iter().skip(page.saturating_sub(1) * size).take(size).collect();
    json!({"users": shown, "meta": {"total_pages": listed.len().div_ceil(size), "page": page}})
}

fn tickets(tenant: &Tenant) -> Value {
    let one = |ticket: &Ticket| json!({"id": ticket.id, "number": ticket.id, "user_id": ticket.user});
    let total = tenant.tickets.len();
    json!({
        "tickets": tenant.tickets.iter().map(one).collect::<Vec<_>>(),
        "meta": {"total_pages": 1, "total_entries": total, "per_page": 25, "page": 1},
    })
}

fn ticket(tenant: &Tenant, path: &str, user: &User, may_view_all: bool) -> Answer {
    let (status, body) = by_number(
        path,
        &tenant.tickets,
        |ticket| ticket.id,
        |ticket| json!({"ticket": {"id": ticket.id, "user_id": ticket.user}}),
    );
    // Who may only view the tickets that are assigned to them is refused the others.
    let is_own = body["ticket"]["user_id"] == json!(user.id);
    if status == 200 && !is_own && !may_view_all { (401, json!({"error": NOT_AUTHORIZED})) } else { (status, body) }
}

/// What there is of the number at the end of a path.
fn by_number<T>(path: &str, all: &[T], number: impl Fn(&T) -> u64, show: impl Fn(&T) -> Value) -> Answer {
    let asked = path.rsplit('/').next().and_then(|asked| asked.parse().ok());
    let found = all.iter().find(|one| Some(number(one)) == asked);
    found.map_or_else(|| (404, json!({"message": "Not found"})), |one| (200, show(one)))
}

fn who(user: &User) -> Value {
    json!({"user": {
        "id": user.id,
        "email": "simulated@example.com",
        "full_name": "Simulated User",
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
        "group": user.group,
        "admin": user.admin,
        "color": "55b932",
    }})
}

/// Lists are empty, record 0 does not exist, and no write is ever good enough.
fn record(tenant: &Tenant, operation: &Operation, path: &str) -> Answer {
    if path.split('/').any(|part| part == "0") {
        return (404, json!({"message": "Not found"}));
    }
    if operation.method != "GET" {
        return (422, json!({"success": false, "message": ["simulated: nothing is ever written"]}));
    }
    if operation.path.contains('{') || operation.path == "/customers/latest" {
        return (200, json!({}));
    }
    let name = operation.path.rsplit('/').next().unwrap_or_default();
    let mut list = json!({"meta": {"total_pages": 1, "page": 1}});
    list[name] = json!([]);
    if tenant.padding > 0 {
        list["padding"] = json!("x".repeat(tenant.padding));
    }
    (200, list)
}
