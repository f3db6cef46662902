/* SPDX-License-Identifier: MIT */
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What libnats, the client library for C, costs: it pulls what a consumer has and throws it away.
 *
 *     libnats URL STREAM CONSUMER none|explicit COUNT FOLDER
 */
enum { PULL = 5000 };

static void check(natsStatus status, const char *what)
{
    if (status == NATS_OK)
        return;
    (void)fprintf(stderr, "libnats: %s: %s\n", what, natsStatus_GetText(status));
    exit(1);
}

static natsSubscription *subscribe(jsCtx *js, char **argv)
{
    jsConsumerConfig config;
    jsSubOptions options;
    natsSubscription *subscription = NULL;
    jsErrCode code = 0;
    check(jsConsumerConfig_Init(&config), "jsConsumerConfig_Init");
    config.Durable = argv[3];
    config.MaxAckPending = 10 * PULL; /* -1 is not sent */
    config.AckPolicy = strcmp(argv[4], "none") == 0 ? js_AckNone : js_AckExplicit;
    check(js_AddConsumer(NULL, js, argv[2], &config, NULL, &code), "js_AddConsumer");
    check(jsSubOptions_Init(&options), "jsSubOptions_Init");
    options.Stream = argv[2];
    options.Consumer = argv[3];
    check(js_PullSubscribe(&subscription, js, NULL, NULL, NULL, &options, &code),
          "js_PullSubscribe");
    return subscription;
}

int main(int argc, char **argv)
{
    natsConnection *connection = NULL;
    jsCtx *js = NULL;
    if (argc != 7)
        return 2;
    check(natsConnection_ConnectTo(&connection, argv[1]), "connect");
    check(natsConnection_JetStream(&js, connection, NULL), "JetStream");
    natsSubscription *subscription = subscribe(js, argv);
    long count = strtol(argv[5], NULL, 10);
    for (long got = 0; got < count;) {
        natsMsgList list;
        jsErrCode code = 0;
        int batch = count - got < PULL ? (int)(count - got) : PULL;
        check(natsSubscription_Fetch(&list, subscription, batch, 60000, &code), "fetch");
        got += list.Count;
        for (int i = 0; i < list.Count && argv[4][0] == 'e'; i++)
            check(got == count && i + 1 == list.Count ? natsMsg_AckSync(list.Msgs[i], NULL, &code)
                                                       : natsMsg_Ack(list.Msgs[i], NULL),
                  "ack");
        natsMsgList_Destroy(&list);
    }
    natsSubscription_Destroy(subscription);
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
    nats_Close();
    return 0;
}
