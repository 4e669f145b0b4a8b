# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_syncro_token_monitor_global_optspecs
    string join \n c/config= log-format= log-level= h/help V/version
end

function __fish_syncro_token_monitor_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_syncro_token_monitor_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_syncro_token_monitor_using_subcommand
    set -l cmd (__fish_syncro_token_monitor_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -s V -l version -d 'Print version'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "run" -d 'Watch all tokens until stopped (SIGTERM or SIGINT); reload on SIGHUP'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "check" -d 'Check every token once, now; exit 0 ok, 1 warning, 2 critical, 3 unknown'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "status" -d 'What the daemon believes, from its store, without asking Syncro; exit 0 ok, 1 warning, 2 critical, 3 unknown'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "preflight" -d 'Is a new token ready for an integration? Exit 0 ready, 2 not ready, 3 not known'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "rotate" -d 'Put a token\'s next value in the place of the one in use, if it is proven; exit 0 done, 2 not proven, 3 not known'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "calibrate" -d 'Which operations of a tenant check the permission before they search for the record? Exit 0 known, 3 not known'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "test-alert" -d 'Send an alert that is plainly a test, firing and over, through every receiver; exit 0 if each took it, else 1'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "redeliver" -d 'Send again what a receiver had refused for good; the log and the store say its number'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "acknowledge" -d 'Take an alert on: nobody is reminded of it or paged for it until a moment, or until it becomes worse'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "unacknowledge" -d 'Give an alert back that somebody has taken on'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "validate" -d 'Read the configuration and print every fault at once, or the plan; never touches the network'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "catalog" -d 'Print what is known about Syncro\'s permissions and what integrations need'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "history" -d 'Print what changed in the past, from the store of a daemon that may be running'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "report" -d 'Print a report for customers and auditors: every token, its permissions and what shows them, and what happened'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "export-state" -d 'Print what is known of the tenants, from the store of a daemon that may be running, for another daemon to take over'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "import-state" -d 'Take over what other daemons knew of the tenants that this one watches. It must not be running'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "init" -d 'Ask for an account and a token, and write a first configuration that watches it'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "import" -d 'Take tokens from a CSV file into the configuration: a fragment in `conf.d` for each tenant, a file for each value'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "rehearse" -d 'What would the receivers be sent in a simulated year? Asks nobody and sends nothing'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "simulate" -d 'Serve a simulated Syncro API for fire drills'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "demo" -d 'Run the daemon against the simulator in one process: a small fleet with incidents within two minutes'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "health" -d 'Ask the daemon of this configuration whether it is healthy; exit 0 if it is, else 1'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "hash-password" -d 'Hash a password for `[web.auth.users]`: asked for on a terminal, else the first line of standard input'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "completions" -d 'Print a completion script, for packagers'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "man" -d 'Print the manual page, for packagers'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand run" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand run" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand run" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand check" -l tenant -d 'Only this tenant' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand check" -l token-name -d 'Only tokens of this name' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand check" -l output -d 'How to print the findings' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand check" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand check" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand check" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand status" -l tenant -d 'Only this tenant' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand status" -l token-name -d 'Only tokens of this name' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand status" -l output -d 'How to print it' -r -f -a "table\t'For people'
json\t'For programs'
nagios\t'One line for Nagios, with its numbers'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand status" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand status" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand status" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l subdomain -d 'The account, as in `https://SUBDOMAIN.syncromsp.com`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l profile -d 'What the integration needs: a name that `catalog profiles` lists, or one of `[profiles.NAME]`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l token-file -d 'A file that holds the token value and nothing else. Without it the value is read from standard input' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l base-url -d 'Where the API is, if not at the account\'s own address: a proxy or a simulator' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l probes -d 'Which probes may be sent; what the configuration says if left out. `write-safe` adds writes to record 0, which does not exist' -r -f -a "read-only\t'Only reads'
write-safe\t'Also writes to record 0, which does not exist'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l output -d 'How to print the findings' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l all -d 'Every token of the configuration, in place of one that is not in it yet'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -l accept-unverified -d 'Be ready although no request shows every required permission. A missing one is never accepted'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand preflight" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rotate" -l tenant -d 'The tenant of the token' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rotate" -l token-name -d 'The name of the token, which has a `next_token_file` in the configuration' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rotate" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rotate" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rotate" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rotate" -l dry-run -d 'Change nothing: say whether the next value is proven'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand calibrate" -l tenant -d 'A tenant of the configuration' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand calibrate" -l token-file -d 'A file that holds the value of a token of which nothing is ticked. Without it the value is read from standard input' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand calibrate" -l probes -d 'Which operations may be asked; what the configuration says if left out' -r -f -a "read-only\t'Only reads'
write-safe\t'Also writes to record 0, which does not exist'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand calibrate" -l output -d 'How to print what was found' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand calibrate" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand calibrate" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand calibrate" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand calibrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand test-alert" -l receiver -d 'Only through this one' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand test-alert" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand test-alert" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand test-alert" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand test-alert" -l print -d 'Send nothing: print what each receiver would be sent'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand test-alert" -l digest -d 'Send the digest of now, by what the store says, in place of a test alert'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand test-alert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand redeliver" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand redeliver" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand redeliver" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand redeliver" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand acknowledge" -l until -d 'Until when, at most 90 days away: for so long (`3d`, `12h`), a day (`2026-11-23`, UTC) or a moment (`2026-11-23T10:00:00Z`)' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand acknowledge" -l by -d 'Who takes it on' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand acknowledge" -l reason -d 'Why it may wait' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand acknowledge" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand acknowledge" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand acknowledge" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand acknowledge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand unacknowledge" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand unacknowledge" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand unacknowledge" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand unacknowledge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand validate" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand validate" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand validate" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand catalog" -l output -d 'How to print it' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand catalog" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand catalog" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand catalog" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand catalog" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand history" -l tenant -d 'Only this tenant' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand history" -l token-name -d 'Only tokens of this name' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand history" -l since -d 'Only what happened since then: so long ago (`7d`, `12h`), a day (`2026-11-23`, UTC) or a moment (`2026-11-23T10:00:00Z`)' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand history" -l output -d 'How to print it' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand history" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand history" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand history" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand report" -l tenant -d 'Only this tenant' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand report" -l since -d 'When its period begins: so long ago (`30d`), a day (`2026-11-23`, UTC) or a moment (`2026-11-23T10:00:00Z`)' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand report" -l output -d 'How to print it' -r -f -a "html\t'A document that stands alone and prints on A4'
csv\t'For spreadsheets: a row for each token'
json\t'For programs'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand report" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand report" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand report" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand export-state" -l tenant -d 'Only this tenant' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand export-state" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand export-state" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand export-state" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand export-state" -l elsewhere -d 'Only the tenants that another daemon is to watch by `[shard]` of the configuration as it is now'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand export-state" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import-state" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import-state" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import-state" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import-state" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand init" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand init" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand init" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import" -l dry-run -d 'Write nothing: say what is wrong, or what would be written'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import" -l credentials -d 'Name the values as systemd hands them to the packaged service (`token_credential`)'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -l days -d 'How long, from now on' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -l revoke -d 'Have a token revoked on a day, counted from 0: `acme/jumpcloud@40`. May be given several times' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -l outage -d 'Have Syncro answer nobody from a day on, for four hours or so many: `90` or `90:12`. May be given several times' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -l fixed-after -d 'How long after it stopped working a token is replaced' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -l output -d 'How to print it' -r -f -a "table\t'For people'
json\t'For programs'
promtool\t'Tests of Prometheus rules, for `promtool test rules`'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -l rules -d 'The file of Prometheus rules that the tests name, beside which they are to lie' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand rehearse" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand simulate" -l listen -d 'The address to serve on' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand simulate" -l scenario -d 'The scenario: tenants, groups, tokens, and what happens when. The demo\'s fleet if left out' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand simulate" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand simulate" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand simulate" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand demo" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand demo" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand demo" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand health" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand health" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand health" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand hash-password" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand hash-password" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand hash-password" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand hash-password" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand completions" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand completions" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand completions" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand man" -s c -l config -d 'The configuration file; `conf.d/*.toml` beside it may hold more tenants' -r -F
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand man" -l log-format -d 'How log lines are written on standard error' -r -f -a "text\t'For people and the journal'
json\t'One flat object a line'"
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand man" -l log-level -d 'Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`' -r
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "run" -d 'Watch all tokens until stopped (SIGTERM or SIGINT); reload on SIGHUP'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "check" -d 'Check every token once, now; exit 0 ok, 1 warning, 2 critical, 3 unknown'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "status" -d 'What the daemon believes, from its store, without asking Syncro; exit 0 ok, 1 warning, 2 critical, 3 unknown'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "preflight" -d 'Is a new token ready for an integration? Exit 0 ready, 2 not ready, 3 not known'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "rotate" -d 'Put a token\'s next value in the place of the one in use, if it is proven; exit 0 done, 2 not proven, 3 not known'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "calibrate" -d 'Which operations of a tenant check the permission before they search for the record? Exit 0 known, 3 not known'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "test-alert" -d 'Send an alert that is plainly a test, firing and over, through every receiver; exit 0 if each took it, else 1'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "redeliver" -d 'Send again what a receiver had refused for good; the log and the store say its number'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "acknowledge" -d 'Take an alert on: nobody is reminded of it or paged for it until a moment, or until it becomes worse'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "unacknowledge" -d 'Give an alert back that somebody has taken on'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "validate" -d 'Read the configuration and print every fault at once, or the plan; never touches the network'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "catalog" -d 'Print what is known about Syncro\'s permissions and what integrations need'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "history" -d 'Print what changed in the past, from the store of a daemon that may be running'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "report" -d 'Print a report for customers and auditors: every token, its permissions and what shows them, and what happened'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "export-state" -d 'Print what is known of the tenants, from the store of a daemon that may be running, for another daemon to take over'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "import-state" -d 'Take over what other daemons knew of the tenants that this one watches. It must not be running'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "init" -d 'Ask for an account and a token, and write a first configuration that watches it'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "import" -d 'Take tokens from a CSV file into the configuration: a fragment in `conf.d` for each tenant, a file for each value'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "rehearse" -d 'What would the receivers be sent in a simulated year? Asks nobody and sends nothing'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "simulate" -d 'Serve a simulated Syncro API for fire drills'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "demo" -d 'Run the daemon against the simulator in one process: a small fleet with incidents within two minutes'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "health" -d 'Ask the daemon of this configuration whether it is healthy; exit 0 if it is, else 1'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "hash-password" -d 'Hash a password for `[web.auth.users]`: asked for on a terminal, else the first line of standard input'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "completions" -d 'Print a completion script, for packagers'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "man" -d 'Print the manual page, for packagers'
complete -c syncro-token-monitor -n "__fish_syncro_token_monitor_using_subcommand help; and not __fish_seen_subcommand_from run check status preflight rotate calibrate test-alert redeliver acknowledge unacknowledge validate catalog history report export-state import-state init import rehearse simulate demo health hash-password completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
