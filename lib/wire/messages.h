/* All message structs of the APIs in api.h. */
#ifndef SL_WIRE_MESSAGES_H
#define SL_WIRE_MESSAGES_H

#include "wire/messages/00_produce.h"
#include "wire/messages/01_fetch.h"
#include "wire/messages/02_list_offsets.h"
#include "wire/messages/03_metadata.h"
#include "wire/messages/08_offset_commit.h"
#include "wire/messages/09_offset_fetch.h"
#include "wire/messages/10_find_coordinator.h"
#include "wire/messages/11_join_group.h"
#include "wire/messages/12_heartbeat.h"
#include "wire/messages/13_leave_group.h"
#include "wire/messages/14_sync_group.h"
#include "wire/messages/15_describe_groups.h"
#include "wire/messages/16_list_groups.h"
#include "wire/messages/17_sasl_handshake.h"
#include "wire/messages/18_api_versions.h"
#include "wire/messages/19_create_topics.h"
#include "wire/messages/20_delete_topics.h"
#include "wire/messages/22_init_producer_id.h"
#include "wire/messages/23_offset_for_leader_epoch.h"
#include "wire/messages/36_sasl_authenticate.h"
#include "wire/messages/42_delete_groups.h"
#include "wire/messages/47_offset_delete.h"
#include "wire/messages/68_consumer_group_heartbeat.h"
#include "wire/messages/69_consumer_group_describe.h"
#include "wire/messages/common.h"

#endif
