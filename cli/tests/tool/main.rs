//! The real binary against simulated modems and real brokers, in real time.
//!
//! Most of that time they wait, for modems and for silences that the protocol demands, so many more of them run at
//! once than there are processors. libtest takes its number from the environment, hence another harness.

mod cc31xx;
mod cc32xx;
mod connect;
mod credentials;
mod demo;
mod doctor;
mod identify;
mod idle;
mod json;
mod manners;
mod matrix;
mod mqtt;
mod nrf9160;
mod ppp;
mod process;
mod provision;
mod readme;
mod record;
mod scenarios;
mod simulate;
mod station;
mod status;
mod surroundings;
mod ublox;
mod usage;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use sectag_host_clock::HostClock;

// Names of the simulator are compared with what the tool prints, and the simulator asks for the time.
sectag_host_clock::time_driver!();

const AT_ONCE: usize = 48;

/// A test that is not listed is code that nobody calls, which clippy refuses.
macro_rules! tests {
    ($($module:ident { $($test:ident),+ $(,)? })+) => {
        vec![$($(Trial::test(
            concat!(stringify!($module), "::", stringify!($test)),
            || { $module::$test(); Ok(()) },
        ),)+)+]
    };
}

fn main() -> ExitCode {
    // Of the modems in this process.
    assert!(HostClock::slow_down(process::CLOCK_FACTOR));
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    // In this order, so those that take longest come first.
    libtest_mimic::run(&arguments, all()).exit_code()
}

fn all() -> Vec<Trial> {
    tests! {
        idle {
            waiting_takes_no_processor_time_and_no_memory,
        }
        scenarios {
            each_names_its_cause_and_ends_as_it_should,
        }
        nrf9160 {
            native_2_1_shows_its_numbers_and_refuses_to_connect,
            native_3_1_takes_a_record_of_5_kib_and_survives_a_reset,
            a_key_made_in_the_modem_serves_for_mutual_tls,
            keys_under_the_other_scheme_are_explained,
            the_doctor_names_what_this_modem_alone_lacks,
            smaller_buffers_refuse_the_same_record_by_name,
            an_mqtt_client_is_told_of_a_record_above_the_limit,
            what_is_published_through_one_dialect_comes_through_another,
        }
        ublox {
            a_sara_r4_publishes_and_prints,
            a_sara_u201_publishes_and_prints,
            a_sara_r5_publishes_and_prints,
            a_lara_r6_publishes_and_prints,
            a_lena_r8_publishes_and_prints,
            a_lexi_r10_publishes_and_prints,
            an_odin_publishes_and_prints,
            a_nina_publishes_and_prints,
            a_restart_in_a_session_is_followed_by_a_new_one_on_every_model,
            three_mistakes_have_three_words_on_cellular_and_one_list_on_short_range,
        }
        ppp {
            what_one_publishes_over_its_link_the_other_prints,
            a_key_is_made_here_and_its_set_replaces_another,
            status_and_doctor_tell_of_module_and_link,
            what_makes_no_sense_says_why_before_anything_is_opened,
        }
        cc31xx {
            what_one_publishes_natively_comes_back,
            credentials_are_secure_files_with_a_token,
            what_stands_in_the_way_is_named,
        }
        cc32xx {
            what_one_publishes_over_the_at_application_comes_back,
        }
        doctor {
            a_certificate_that_has_ended_is_named,
            the_token_of_a_login_is_told_and_whose_key_signs_it,
            all_is_well_up_to_the_connection,
            what_the_modem_has_one_number_for_is_told_apart_from_here,
            the_first_obstacle_is_named,
            files_and_ports_are_checked_first,
            the_look_goes_where_the_simulated_modem_does,
        }
        mqtt {
            what_one_publishes_the_other_prints,
            an_interrupt_ends_a_subscription_in_order,
            passwords_come_from_environment_input_or_file,
            failures_say_what_to_do,
        }
        credentials {
            neither_sim_nor_network_is_needed,
            stored_listed_and_removed_over_a_terminal,
            the_trace_shows_commands_and_no_contents,
            a_tag_that_the_modem_cannot_name_is_refused,
            verified_by_content_and_not_by_size,
            der_is_converted,
            new_credentials_replace_the_old_once_they_have_worked,
            a_modem_that_makes_no_keys_is_given_one,
        }
        provision {
            of_eight_modems_the_one_that_is_full_is_named_and_the_others_are_done_once,
            a_manifest_is_read_to_its_end_before_a_modem_is_touched,
            a_file_that_is_too_long_for_the_modem_is_named_before_a_port_is_opened,
            a_port_with_two_names_has_one_user_at_a_time,
        }
        manners {
            an_interrupt_lets_an_upload_end_and_says_what_is_left,
            options_of_mosquitto_s_clients_mean_the_same,
            a_publish_that_was_acknowledged_is_a_success_whatever_becomes_of_the_good_bye,
            nobody_who_reads_is_no_error_to_tell,
            a_full_disk_is_told_whatever_is_printed,
            all_credentials_are_removed_at_once,
            a_port_in_use_is_told_with_the_program_that_has_it,
        }
        json {
            every_command_is_documented,
            what_a_modem_tells_has_the_keys_that_are_documented,
            what_needs_no_modem_has_the_keys_that_are_documented,
        }
        matrix {
            wrong_use_is_a_usage_error_that_names_the_option,
            a_port_where_nobody_is_ends_every_command_with_every_modem,
            a_file_of_any_wrong_kind_is_refused_in_words,
        }
        readme {
            every_command_of_the_readme_works_as_it_stands,
            the_walk_without_a_modem_is_as_it_stands,
        }
        identify {
            a_modem_that_is_not_named_is_asked_who_it_is,
            a_modem_that_is_named_wrongly_is_named_rightly,
            a_dead_port_is_an_error_and_no_table,
            a_modem_is_restarted,
            commands_are_typed_and_the_dangerous_refused,
            completions_and_manual_are_printed,
        }
        usage {
            usage_errors_exit_with_2,
            an_unknown_modem_lists_the_known_ones,
            a_port_that_is_not_there_is_an_error_with_a_hint,
            what_is_no_port_is_named,
            a_key_in_place_of_a_certificate_is_refused_before_the_port_is_opened,
            a_silent_port_names_speed_and_wiring,
            a_scenario_or_dialect_that_a_modem_does_not_have_is_refused,
        }
        connect {
            input_comes_back_through_the_modem,
        }
        record {
            a_status_is_recorded_word_by_word,
            provisioning_and_login_leave_no_secret,
            a_failure_is_recorded_and_nothing_overwritten,
            a_command_may_have_words_of_its_own,
            only_what_talks_to_a_modem_can_be_recorded,
        }
        demo {
            the_demo_succeeds_and_adds_up,
        }
        surroundings {
            a_clock_that_the_network_does_not_set_is_set_from_the_host,
            a_pin_is_used_masked_and_asked_for,
            a_missing_sim_is_named,
            a_data_connection_that_an_earlier_life_left_is_made_anew,
        }
        status {
            everything_known_is_printed_for_people_and_programs,
            what_is_known_without_a_network_is_printed_and_the_reason_named,
            a_modem_of_another_operator_is_named,
        }
        simulate {
            signals_end_it_and_remove_the_link,
            a_link_that_is_in_use_is_told_with_the_program_that_has_it,
            a_file_that_is_no_link_is_not_replaced,
            tcp_names_the_port_to_use,
            dialects_of_the_nrf9160,
            what_the_modem_stores_is_there_again_and_a_refused_server_is_explained,
            a_state_that_another_modem_keeps_is_refused,
        }
    }
}
