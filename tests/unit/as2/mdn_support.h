/* MDNs of the reference, and one partner's key: as2.md 13.3. */
#ifndef WAYBILL_TESTS_AS2_MDN_SUPPORT_H
#define WAYBILL_TESTS_AS2_MDN_SUPPORT_H

#include "test.h"

#define MIC_13_1 "f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8=, sha-256"
#define REPORT_TYPE                                                                            \
    "multipart/report; report-type=disposition-notification; boundary=\"INNER-0002\""

#define FIELDS_13_3                                                                            \
    "Reporting-UA: ExampleGW\r\n"                                                              \
    "Original-Recipient: rfc822; RECVCO\r\n"                                                   \
    "Final-Recipient: rfc822; RECVCO\r\n"                                                      \
    "Original-Message-ID: <0001@sender.example>\r\n"                                           \
    "Disposition: automatic-action/MDN-sent-automatically; processed\r\n"                      \
    "Received-Content-MIC: " MIC_13_1 "\r\n"

#define REPORT_BODY_OF(text_part, fields_part)                                                 \
    "--INNER-0002\r\n" text_part "\r\n--INNER-0002\r\n" fields_part "\r\n--INNER-0002--\r\n"

#define TEXT_PART                                                                              \
    "Content-Type: text/plain; charset=us-ascii\r\n"                                           \
    "Content-Transfer-Encoding: 7bit\r\n"                                                      \
    "\r\n"                                                                                     \
    "The message has been received and processed.\r\n"
#define FIELDS_HEAD                                                                            \
    "Content-Type: message/disposition-notification\r\n"                                       \
    "Content-Transfer-Encoding: 7bit\r\n"                                                      \
    "\r\n"
#define REPORT_BODY_13_3 REPORT_BODY_OF(TEXT_PART, FIELDS_HEAD FIELDS_13_3)
#define REPORT_13_3      "Content-Type: " REPORT_TYPE "\r\n\r\n" REPORT_BODY_13_3

static inline struct as2_mdn mdn_13_3(void)
{
    return (struct as2_mdn) {
        .reporting_ua = "ExampleGW",
        .final_recipient = "RECVCO",
        .original_message_id = "<0001@sender.example>",
        .mic = MIC_13_1,
        .text = "The message has been received and processed.",
        .boundary_outer = "OUTER-0002",
        .boundary_inner = "INNER-0002",
    };
}

static inline struct mime_head head_of(struct mime_field *fields, size_t n)
{
    return (struct mime_head) { fields, n };
}

#endif
