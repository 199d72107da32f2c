"""The keywords of keepalived's blocks, and the releases that know them, 2.0.20 to 2.4.3. Pure.

Source: install_keyword() and its kin in keepalived's parsers, in each of the tags.
Keywords of blocks that are not here are names, addresses or the like.
"""

from kacheck.keepalived.version import Version

TEXT = {
    "": """
        SSL bfd_instance child_wait_time garp_group global_defs instance
        interface_up_down_delays linkbeat_interfaces linkbeat_use_polling namespace_with_ipsets
        net_namespace net_namespace_ipvs static_ipaddress static_routes static_rules track_file
        track_group use_pid_dir virtual_server virtual_server_group vrrp_instance vrrp_script
        vrrp_sync_group vrrp_track_file vrrp_track_process""",
    "global_defs": """
        bfd_cpu_affinity bfd_no_swap bfd_priority bfd_process_name bfd_rlimit_rtime
        bfd_rlimit_rttime bfd_rt_priority checker_cpu_affinity checker_log_all_failures
        checker_no_swap checker_priority checker_process_name checker_rlimit_rtime
        checker_rlimit_rttime checker_rt_priority config_save_dir data_use_instance
        dbus_no_interface_name dbus_service_name default_interface disable_local_igmp
        dynamic_interfaces enable_dbus enable_script_security enable_snmp_checker
        enable_snmp_keepalived enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3
        enable_snmp_vrrp enable_traps fifo_write_vrrp_states_on_reload include_check
        iproute_etc_dir iproute_usr_dir json_dump_file json_version log_unknown_vrids lvs_flush
        lvs_flush_on_stop lvs_flush_onstop lvs_netlink_cmd_rcv_bufs
        lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs
        lvs_netlink_monitor_rcv_bufs_force lvs_notify_fifo lvs_notify_fifo_script
        lvs_process_name lvs_sync_daemon lvs_timeouts max_auto_priority min_auto_priority_delay
        nftables nftables_counters nftables_ifindex nftables_ipvs nftables_ipvs_priority
        nftables_ipvs_start_fwmark nftables_priority no_checker_emails no_email_faults
        notification_email notification_email_from notify_fifo notify_fifo_script
        process_monitor_rcv_bufs process_monitor_rcv_bufs_force process_name process_names
        random_seed reload_check_config reload_file reload_repeat reload_time_file router_id
        rs_init_notifies script_user shutdown_script shutdown_script_timeout smtp_alert
        smtp_alert_checker smtp_alert_vrrp smtp_connect_timeout smtp_helo_name smtp_server
        snmp_rs_stats_update_interval snmp_socket snmp_vs_stats_update_interval startup_script
        startup_script_timeout state_dump_file stats_dump_file tmp_config_directory umask
        use_symlink_paths v3_checksum_as_v2 vmac_addr_prefix vmac_prefix vrrp_check_unicast_src
        vrrp_cpu_affinity vrrp_delay_after_boot vrrp_down_timer_adverts vrrp_garp_extra_if
        vrrp_garp_interval vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat
        vrrp_garp_master_delay vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat
        vrrp_garp_master_repeat vrrp_gna_interval vrrp_higher_prio_send_advert vrrp_ipsets
        vrrp_iptables vrrp_lower_prio_no_advert vrrp_mcast_group4 vrrp_mcast_group6
        vrrp_min_garp vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force
        vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force vrrp_no_swap
        vrrp_notify_fifo vrrp_notify_fifo_script vrrp_notify_priority_changes
        vrrp_owner_ignore_adverts vrrp_priority vrrp_process_name vrrp_rlimit_rtime
        vrrp_rlimit_rttime vrrp_rt_priority vrrp_rx_bufs_multiplier vrrp_rx_bufs_policy
        vrrp_skip_check_adv_addr vrrp_startup_delay vrrp_strict vrrp_version
        vrrp_vmac_garp_intvl""",
    "vrrp_instance": """
        accept advert_int auth_hmac authentication check_unicast_src debug dont_track_primary
        down_timer_adverts garp_extra_if garp_lower_prio_delay garp_lower_prio_repeat
        garp_master_delay garp_master_refresh garp_master_refresh_repeat garp_master_repeat
        higher_prio_send_advert interface kernel_rx_buf_size linkbeat_use_polling
        lower_prio_no_advert lvs_sync_daemon_interface mcast_dst_ip mcast_src_ip native_ipv6
        no_accept no_virtual_ipaddress nopreempt notify notify_backup notify_deleted
        notify_fault notify_master notify_master_rx_lower_pri notify_priority_changes
        notify_stop old_unicast_checksum owner_ignore_adverts preempt preempt_delay priority
        promote_secondaries skip_check_adv_addr smtp_alert state strict_mode
        thread_timer_expired timer_expired_backup track_bfd track_file track_interface
        track_process track_script track_src_ip unicast_fault_no_peer unicast_peer
        unicast_src_ip unicast_ttl use_ipvlan use_vmac use_vmac_addr v3_checksum_as_v2 version
        virtual_ipaddress virtual_ipaddress_excluded virtual_router_id virtual_routes
        virtual_rules vmac_garp_intvl vmac_xmit_base vrf""",
    "authentication": "auth_pass auth_type",
    "vrrp_sync_group": """
        global_tracking group notify notify_backup notify_fault notify_master
        notify_priority_changes notify_stop smtp_alert sync_group_tracking_weight track_bfd
        track_file track_interface track_process track_script""",
    "vrrp_script": "fall init_fail interval rise script timeout user weight",
    "vrrp_track_process": """
        delay fork_delay full_command param_match process quorum quorum_max terminate_delay
        weight""",
    "track_file": "file init_file weight",
    "vrrp_track_file": "file init_file weight",
    "garp_group": "garp_interval gna_interval interface interfaces",
    "virtual_server": """
        alpha connect_timeout delay_before_retry delay_loop flag-1 flag-2 flag-3 ha_suspend
        hashed hysteresis inhibit_on_failure ip_family lb_algo lb_kind lvs_method lvs_sched
        mh-fallback mh-port omega ops persistence_engine persistence_granularity
        persistence_timeout protocol quorum quorum_down quorum_up real_server retry sh-fallback
        sh-port smtp_alert snmp_name sorry_server sorry_server_inhibit sorry_server_lvs_method
        virtualhost warmup weight""",
    "real_server": """
        BFD_CHECK DNS_CHECK FILE_CHECK HTTP_GET MISC_CHECK PING_CHECK SMTP_CHECK SSL_GET
        TCP_CHECK UDP_CHECK alpha connect_timeout delay_before_retry delay_loop
        inhibit_on_failure lthreshold lvs_method notify_down notify_up retry smtp_alert
        snmp_name uthreshold virtualhost warmup weight""",
    "HTTP_GET": """
        alpha bind_if bind_port bindto connect_ip connect_port connect_timeout
        delay_before_retry delay_loop enable_sni fast_recovery fwmark http_protocol
        log_all_failures nb_get_retry retry tls_compliant url virtualhost warmup""",
    "SSL_GET": """
        alpha bind_if bind_port bindto connect_ip connect_port connect_timeout
        delay_before_retry delay_loop enable_sni fast_recovery fwmark http_protocol
        log_all_failures nb_get_retry retry tls_compliant url virtualhost warmup""",
    "url": """
        digest path regex regex_max_offset regex_min_offset regex_no_match regex_options
        regex_stack status_code tls_compliant virtualhost""",
    "TCP_CHECK": """
        alpha bind_if bind_port bindto connect_ip connect_port connect_timeout
        delay_before_retry delay_loop fwmark log_all_failures retry warmup""",
    "SMTP_CHECK": """
        alpha bind_if bind_port bindto connect_ip connect_port connect_timeout
        delay_before_retry delay_loop fwmark helo_name host log_all_failures retry warmup""",
    "MISC_CHECK": """
        alpha bind_if bind_port bindto connect_ip connect_port connect_timeout
        delay_before_retry delay_loop fwmark log_all_failures misc_dynamic misc_path
        misc_timeout retry user warmup""",
    "DNS_CHECK": """
        alpha bind_if bind_port bindto connect_ip connect_port connect_timeout
        delay_before_retry delay_loop fwmark log_all_failures name retry type warmup""",
    "UDP_CHECK": """
        alpha bind_if bind_port bindto connect_ip connect_port connect_timeout
        delay_before_retry delay_loop fwmark log_all_failures max_reply_length min_reply_length
        payload require_reply retry warmup""",
    "PING_CHECK": """
        alpha bind_if bind_port bindto connect_ip connect_port connect_timeout
        delay_before_retry delay_loop fwmark log_all_failures retry warmup""",
    "SSL": "ca certificate key password",
}
"""By block; what has no name is outside of all blocks."""

NEW = {
    Version(2, 1, 0): """
        /net_namespace_ipvs /track_file PING_CHECK/alpha PING_CHECK/bind_if PING_CHECK/bind_port
        PING_CHECK/bindto PING_CHECK/connect_ip PING_CHECK/connect_port
        PING_CHECK/connect_timeout PING_CHECK/delay_before_retry PING_CHECK/delay_loop
        PING_CHECK/fwmark PING_CHECK/log_all_failures PING_CHECK/retry PING_CHECK/warmup
        UDP_CHECK/alpha UDP_CHECK/bind_if UDP_CHECK/bind_port UDP_CHECK/bindto
        UDP_CHECK/connect_ip UDP_CHECK/connect_port UDP_CHECK/connect_timeout
        UDP_CHECK/delay_before_retry UDP_CHECK/delay_loop UDP_CHECK/fwmark
        UDP_CHECK/log_all_failures UDP_CHECK/require_reply UDP_CHECK/retry UDP_CHECK/warmup
        global_defs/bfd_rlimit_rttime global_defs/checker_rlimit_rttime
        global_defs/max_auto_priority global_defs/min_auto_priority_delay
        global_defs/reload_repeat global_defs/reload_time_file global_defs/shutdown_script
        global_defs/shutdown_script_timeout global_defs/startup_script
        global_defs/startup_script_timeout global_defs/vrrp_rlimit_rttime real_server/FILE_CHECK
        real_server/PING_CHECK real_server/UDP_CHECK track_file/file track_file/init_file
        track_file/weight vrrp_instance/check_unicast_src vrrp_instance/notify_deleted
        vrrp_instance/unicast_ttl""",
    Version(2, 2, 0): """
        UDP_CHECK/max_reply_length UDP_CHECK/min_reply_length UDP_CHECK/payload
        global_defs/checker_process_name global_defs/disable_local_igmp
        global_defs/include_check global_defs/lvs_flush_on_stop global_defs/reload_check_config
        global_defs/reload_file global_defs/tmp_config_directory global_defs/vmac_addr_prefix
        global_defs/vmac_prefix global_defs/vrrp_vmac_garp_intvl vrrp_instance/use_vmac_addr
        vrrp_instance/vmac_garp_intvl vrrp_sync_group/notify_priority_changes""",
    Version(2, 2, 2): """
        global_defs/nftables_ipvs global_defs/nftables_ipvs_priority
        global_defs/nftables_ipvs_start_fwmark""",
    Version(2, 2, 3): """
        /interface_up_down_delays global_defs/config_save_dir global_defs/data_use_instance
        global_defs/vrrp_down_timer_adverts global_defs/vrrp_garp_extra_if real_server/snmp_name
        virtual_server/snmp_name vrrp_instance/down_timer_adverts vrrp_instance/garp_extra_if""",
    Version(2, 2, 5): """
        global_defs/fifo_write_vrrp_states_on_reload vrrp_instance/mcast_dst_ip
        vrrp_instance/unicast_fault_no_peer vrrp_instance/vrf""",
    Version(2, 2, 8): """
        HTTP_GET/tls_compliant SSL_GET/tls_compliant global_defs/json_version
        global_defs/v3_checksum_as_v2 url/tls_compliant vrrp_instance/no_virtual_ipaddress
        vrrp_instance/timer_expired_backup vrrp_instance/v3_checksum_as_v2""",
    Version(2, 3, 0): """
        global_defs/dbus_no_interface_name global_defs/snmp_rs_stats_update_interval
        global_defs/snmp_vs_stats_update_interval global_defs/use_symlink_paths""",
    Version(2, 3, 2): """
        global_defs/iproute_etc_dir global_defs/iproute_usr_dir
        vrrp_instance/thread_timer_expired""",
    Version(2, 3, 3): """
        global_defs/json_dump_file global_defs/state_dump_file global_defs/stats_dump_file
        global_defs/vrrp_owner_ignore_adverts vrrp_instance/owner_ignore_adverts""",
    Version(2, 4, 0): """
        global_defs/vrrp_delay_after_boot vrrp_instance/auth_hmac""",
}
"""What came with a release, as BLOCK/KEYWORD."""

KEYWORDS = {block: frozenset(words.split()) for block, words in TEXT.items()}
"""All keywords of a block, in any release; none has gone since 2.0.20."""
SINCE = {name: release for release, names in NEW.items() for name in names.split()}


def known_since(block: str, keyword: str) -> Version | None:
    """Return the release that brought a keyword; None: an older one, or the keyword is unknown."""
    return SINCE.get(f"{block}/{keyword}")
