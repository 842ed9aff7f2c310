/* Creating and deleting topics: one command each, whose answer is the op's outcome. */
#include <string.h>

#include "api/client.h"
#include "sluice/admin.h"

/* A command about a topic. 0, NOMEM or what is wrong with client or topic. */
static int begin_topic_command(sluice_client *client, enum sl_command_kind kind, const char *topic,
                               sluice_op **op, struct sl_command **out) {
    if (op != NULL) *op = NULL;
    int rv = sl_client_expect_open(client, 0);
    if (rv != 0) return rv;
    if (topic == NULL || *topic == '\0' || strlen(topic) > INT16_MAX) return SLUICE_ERR_USAGE;
    const struct sl_alloc *alloc = sl_client_alloc(client);
    rv = sl_command_create(alloc, kind, out);
    if (rv != 0) return rv;
    (*out)->topic = sl_alloc_text(alloc, topic, strlen(topic));
    if ((*out)->topic != NULL) return 0;
    sl_command_destroy(alloc, *out);
    return SLUICE_ERR_NOMEM;
}

/* Copies {"name", "value", …, NULL} into the command. 0, USAGE (a name without a value) or NOMEM. */
static int copy_topic_settings(struct sl_command *command, const char *const *settings,
                               const struct sl_alloc *alloc) {
    int32_t count = 0;
    if (settings == NULL) return 0;
    while (settings[count] != NULL) count++;
    if (count % 2 != 0) return SLUICE_ERR_USAGE;
    if (count == 0) return 0;
    command->settings = sl_alloc_array(alloc, (size_t)count, sizeof *command->settings);
    if (command->settings == NULL) return SLUICE_ERR_NOMEM;
    command->setting_count = count;
    for (int32_t i = 0; i < count; i++) {
        command->settings[i] = sl_alloc_text(alloc, settings[i], strlen(settings[i]));
        if (command->settings[i] == NULL) return SLUICE_ERR_NOMEM;
    }
    return 0;
}

int sluice_admin_create_topic(sluice_client *client, const char *topic, int32_t partitions,
                              int32_t replicas, const char *const *settings, int32_t timeout_ms,
                              sluice_op **op) {
    struct sl_command *command;
    int rv = begin_topic_command(client, SL_COMMAND_CREATE_TOPIC, topic, op, &command);
    if (rv != 0) return rv;
    const struct sl_alloc *alloc = sl_client_alloc(client);
    command->partitions = partitions;
    command->replicas = replicas;
    rv = replicas > INT16_MAX || replicas < INT16_MIN
             ? SLUICE_ERR_USAGE
             : copy_topic_settings(command, settings, alloc);
    if (rv != 0) {
        sl_command_destroy(alloc, command);
        return rv;
    }
    return sl_client_run(client, command, timeout_ms, op, NULL);
}

int sluice_admin_delete_topic(sluice_client *client, const char *topic, int32_t timeout_ms,
                              sluice_op **op) {
    struct sl_command *command;
    int rv = begin_topic_command(client, SL_COMMAND_DELETE_TOPIC, topic, op, &command);
    return rv != 0 ? rv : sl_client_run(client, command, timeout_ms, op, NULL);
}
