//! What went wrong in some gateway once, case by case. The number is the case's name everywhere.

mod by_hand;
mod run;

#[test]
fn t001_parallel_tool_results_become_one_user_message() {
    run::hold(include_str!("cases/t001.json"));
}

#[test]
fn t002_an_empty_text_beside_tool_calls_is_no_block() {
    run::hold(include_str!("cases/t002.json"));
}

#[test]
fn t004_a_missing_result_in_the_middle_is_made_up_as_an_error() {
    run::hold(include_str!("cases/t004.json"));
}

#[test]
fn t005_an_orphan_result_survives_as_text() {
    run::hold(include_str!("cases/t005.json"));
}

#[test]
fn t007_a_system_message_in_the_middle_stays_there() {
    run::hold(include_str!("cases/t007.json"));
}

#[test]
fn t008_a_system_message_in_the_middle_leaves_the_prefix_alone() {
    run::hold(include_str!("cases/t008.json"));
}

#[test]
fn t013_text_before_tool_results_goes_behind_them() {
    run::hold(include_str!("cases/t013.json"));
}

#[test]
fn t014_a_screenshot_in_a_result_moves_behind_the_results() {
    run::hold(include_str!("cases/t014.json"));
}

#[test]
fn t016_an_image_url_in_a_result_stays_in_it() {
    run::hold(include_str!("cases/t016.json"));
}

#[test]
fn t017_that_a_tool_failed_survives() {
    run::hold(include_str!("cases/t017.json"));
}

#[test]
fn t019_items_without_a_type_are_read() {
    run::hold(include_str!("cases/t019.json"));
}

#[test]
fn t020_assistant_history_is_output_text() {
    run::hold(include_str!("cases/t020.json"));
}

#[test]
fn t022_a_tool_without_parameters_takes_an_empty_object() {
    run::hold(include_str!("cases/t022.json"));
}

#[test]
fn t023_a_root_any_of_is_taken_apart() {
    run::hold(include_str!("cases/t023.json"));
}

#[test]
fn t025_exclusive_minimum_in_a_nullable_union() {
    run::hold(include_str!("cases/t025.json"));
}

#[test]
fn t026_a_union_type_in_array_items() {
    run::hold(include_str!("cases/t026.json"));
}

#[test]
fn t028_an_integer_enum_keeps_its_type() {
    run::hold(include_str!("cases/t028.json"));
}

#[test]
fn t029_required_lists_only_what_there_is() {
    run::hold(include_str!("cases/t029.json"));
}

#[test]
fn t031_strict_that_was_not_asked_for_is_not_sent() {
    run::hold(include_str!("cases/t031.json"));
}

#[test]
fn t032_tool_choice_as_object_and_none() {
    run::hold(include_str!("cases/t032.json"));
}

#[test]
fn t034_parallel_tool_calls_means_nothing_without_tools() {
    run::hold(include_str!("cases/t034.json"));
}

#[test]
fn t037_freeform_apply_patch_over_a_chat_upstream() {
    run::hold(include_str!("cases/t037.json"));
}

#[test]
fn t038_hosted_tools_the_target_lacks() {
    run::hold(include_str!("cases/t038.json"));
}

#[test]
fn t041_broken_argument_strings_become_objects() {
    run::hold(include_str!("cases/t041.json"));
}

#[test]
fn t043_unsigned_reasoning_gets_no_fake_signature() {
    run::hold(include_str!("cases/t043.json"));
}

#[test]
fn t047_gemini_3_gets_the_documented_placeholder_for_a_signature() {
    run::hold(include_str!("cases/t047.json"));
}

#[test]
fn t049_bare_reasoning_is_not_replayed() {
    run::hold(include_str!("cases/t049.json"));
}

#[test]
fn t052_reasoning_goes_back_where_it_is_required() {
    run::hold(include_str!("cases/t052.json"));
}

#[test]
fn t053_reasoning_does_not_go_back_where_it_is_refused() {
    run::hold(include_str!("cases/t053.json"));
}

#[test]
fn t055_a_claude_that_only_thinks_adaptively() {
    run::hold(include_str!("cases/t055.json"));
}

#[test]
fn t056_a_budget_fits_into_max_tokens() {
    run::hold(include_str!("cases/t056.json"));
}

#[test]
fn t058_a_budget_becomes_an_effort() {
    run::hold(include_str!("cases/t058.json"));
}

#[test]
fn t059_gemini_thinking_by_generation() {
    run::hold(include_str!("cases/t059.json"));
}

#[test]
fn t061_reason_tool_and_reason_again() {
    run::hold(include_str!("cases/t061.json"));
}

#[test]
fn t062_interleaved_tool_deltas() {
    run::hold(include_str!("cases/t062.json"));
}

#[test]
fn t064_repeated_finish_and_usage() {
    run::hold(include_str!("cases/t064.json"));
}

#[test]
fn t065_a_truncated_call_keeps_its_length() {
    run::hold(include_str!("cases/t065.json"));
}

#[test]
fn t067_done_without_a_finish_reason() {
    run::hold(include_str!("cases/t067.json"));
}

#[test]
fn t068_an_error_inside_the_stream() {
    run::hold(include_str!("cases/t068.json"));
}

#[test]
fn t070_reasoning_and_text_in_one_chunk() {
    run::hold(include_str!("cases/t070.json"));
}

#[test]
fn t071_a_name_that_arrives_late() {
    run::hold(include_str!("cases/t071.json"));
}

#[test]
fn t073_one_index_for_two_calls() {
    run::hold(include_str!("cases/t073.json"));
}

#[test]
fn t074_empty_deltas_make_no_blocks() {
    run::hold(include_str!("cases/t074.json"));
}

#[test]
fn t076_a_tool_index_counts_tools() {
    run::hold(include_str!("cases/t076.json"));
}

#[test]
fn t077_a_call_without_arguments() {
    run::hold(include_str!("cases/t077.json"));
}

#[test]
fn t079_overloaded_after_200() {
    run::hold(include_str!("cases/t079.json"));
}

#[test]
fn t080_later_usage_overrides() {
    run::hold(include_str!("cases/t080.json"));
}

#[test]
fn t082_input_in_the_block_start() {
    run::hold(include_str!("cases/t082.json"));
}

#[test]
fn t083_output_index_never_collides() {
    run::hold(include_str!("cases/t083.json"));
}

#[test]
fn t085_the_last_event_has_everything() {
    run::hold(include_str!("cases/t085.json"));
}

#[test]
fn t086_incomplete_reasons() {
    run::hold(include_str!("cases/t086.json"));
}

#[test]
fn t088_unknown_events_and_keep_alives() {
    run::hold(include_str!("cases/t088.json"));
}

#[test]
fn t089_failures_and_a_silent_end() {
    run::hold(include_str!("cases/t089.json"));
}

#[test]
fn t091_text_chunks_stay_in_one_block() {
    run::hold(include_str!("cases/t091.json"));
}

#[test]
fn t092_a_blocked_prompt() {
    run::hold(include_str!("cases/t092.json"));
}

#[test]
fn t094_candidates_do_not_leak() {
    run::hold(include_str!("cases/t094.json"));
}

#[test]
fn t095_gemini_usage_adds_up() {
    run::hold(include_str!("cases/t095.json"));
}

#[test]
fn t098_gemini_requests_in_any_spelling() {
    run::hold(include_str!("cases/t098.json"));
}

#[test]
fn t101_an_error_line_in_the_middle() {
    run::hold(include_str!("cases/t101.json"));
}

#[test]
fn t103_cache_tokens_are_exclusive_for_anthropic() {
    run::hold(include_str!("cases/t103.json"));
}

#[test]
fn t104_cache_tokens_are_inclusive_for_openai() {
    run::hold(include_str!("cases/t104.json"));
}

#[test]
fn t106_max_tokens_by_every_name() {
    run::hold(include_str!("cases/t106.json"));
}

#[test]
fn t107_structured_output_without_native_support() {
    run::hold(include_str!("cases/t107.json"));
}

#[test]
fn t109_cache_marks_and_unknown_fields_do_not_leave_anthropic() {
    run::hold(include_str!("cases/t109.json"));
}

#[test]
fn t118_a_pdf_in_every_dialect() {
    run::hold(include_str!("cases/t118.json"));
}

#[test]
fn t119_a_remote_image_for_an_upstream_that_cannot_fetch() {
    run::hold(include_str!("cases/t119.json"));
}
