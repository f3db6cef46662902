# SPDX-License-Identifier: MIT
# bash completion for varve(1)

_varve()
{
    local keys='nats.servers nats.name nats.user nats.password nats.token nats.user_file nats.password_file nats.token_file nats.nkey_seed_file nats.credentials_file nats.domain nats.api_prefix nats.tls.enabled nats.tls.ca_file nats.tls.cert_file nats.tls.key_file nats.tls.key_password nats.tls.key_password_file nats.tls.handshake_first nats.tls.server_name nats.tls.insecure sources[].stream sources[].subjects sources[].delivery sources[].consumer sources[].shared sources[].start consumer.manage batching.max_rows batching.max_bytes batching.max_age output.log_output_directory output.path_template output.min_free output.url output.s3.endpoint output.s3.region output.s3.addressing output.s3.access_key_id output.s3.secret_access_key output.s3.session_token output.s3.profile output.s3.ca_file output.s3.checksum parquet.compression_level parquet.page_bytes parquet.row_group_rows parquet.profile compaction.interval compaction.after compaction.target_bytes compaction.compression_level compaction.keep_replaced retention.max_age retention.max_bytes runs.close_after runs.end_event_type payloads[].event_type payloads[].format payloads[].descriptor_set payloads[].message payloads[].columns followers[].name followers[].kind followers[].target followers[].select followers[].subject followers[].stream followers[].compression_level followers[].bandwidth followers[].manifest followers[].url followers[].token followers[].token_file followers[].ca_file followers[].points followers[].max_tag_values followers[].max_lag quality.required quality.event_types quality.content_types quality.max_skew quality.max_silence quality.alerts memory_limit sandbox dead_letter.subject metrics.listen metrics.token_file metrics.tls.cert_file metrics.tls.key_file metrics.tls.key_password_file alerts.subject settings.log_level settings.log_format'
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]-} options=
    local commands='run check status inspect cat verify quality compact expire follow replay version licenses help' valued='--after --against --by --columns --compression-level --from --keep-replaced --limit --max-gap --older-than --run --server --simulation --speed --stream --subject --timeout --to --url --where' option
    # Bash takes a = apart: KEY = VALUE.
    [[ $word == = || $before == = ]] && return
    COMPREPLY=()
    if ((COMP_CWORD == 1)) || { ((COMP_CWORD == 2)) && [[ $command == help ]]; }; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
        return
    fi
    case $before in
    -c)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --set)
        mapfile -t COMPREPLY < <(compgen -W "${keys//\[\]/[0]}" -S = -- "$word")
        compopt -o nospace 2>/dev/null || true # it is no completion where this is tested
        return
        ;;
    esac
    # BEGIN COMMANDS: make share
    case $command in
    run) options='-c --set --once --timeout' ;;
    check) options='-c --set --offline --permissions --json' ;;
    status) options='-c --set --url --ca-file --token-file --watch --json' ;;
    inspect) options='--json -c' ;;
    cat) options='--columns --limit --where --from --to --follow --verbose -v -c' ;;
    verify) options='--json --deep --allow-gaps --run --against --server -c --set' ;;
    quality) options='-c --set --where --from --to --json --save' ;;
    compact) options='--after --keep-replaced --compression-level --dry-run -c' ;;
    expire) options='--older-than --dry-run -c' ;;
    follow) options='-c --set --once --restart --forget' ;;
    replay) options='--server -c --set --subject --stream --speed --by --max-gap --from --to --where --simulation --new --force --no-batches --dry-run' ;;
    version) options='--verbose' ;;
    esac
    # END COMMANDS
    for option in $valued; do
        [[ $before == "$option" ]] && return
    done
    if [[ $word == -* || $command == run || $command == check ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [[ -n $options ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _varve varve
