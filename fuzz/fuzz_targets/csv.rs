#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| syncro_token_monitor::untrusted::csv(bytes));
