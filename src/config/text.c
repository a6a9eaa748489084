/* What a text value must look like. Each check answers NULL or words for after the setting's
 * name. */
#include "config/schema_int.h"

#include <ctype.h>

static bool only(const char *text, const char *allowed)
{
    return text[strspn(text, allowed)] == '\0';
}

static bool blank_at_end(const char *text)
{
    return *text == ' ' || (*text != '\0' && text[strlen(text) - 1] == ' ');
}

const char *check_name(const char *value)
{
    if (strlen(value) <= 64 && only(value, "abcdefghijklmnopqrstuvwxyz0123456789-_.") &&
        isalnum((unsigned char)*value))
        return NULL;
    return "must be 1 to 64 of a-z 0-9 - _ . and begin with a letter or digit";
}

const char *check_path(const char *value)
{
    return *value == '/' ? NULL : "must be an absolute path (beginning with /)";
}

const char *check_sealed_key(const char *value)
{
    return only(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
               ? NULL
               : "must be what `waybill certificates import` made";
}

const char *check_directory(const char *value)
{
    return *value == '/' ? NULL : "must be an absolute directory (beginning with /)";
}

/* sockaddr_un holds 108 octets with the NUL. */
const char *check_socket(const char *value)
{
    if (strlen(value) > 107)
        return "must have at most 107 octets (a limit of Unix sockets)";
    return check_path(value);
}

/* RFC 5024 5.4; oftp2.md 2.4: codes without the leading O occur in practice. */
const char *check_odette_id(const char *value)
{
    if (strlen(value) > ODETTE_ID_MAX)
        return "must have at most 25 characters";
    if (blank_at_end(value))
        return "must not begin or end with a blank";
    if (!only(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-.&() "))
        return "must be made of A-Z 0-9 / - . & ( ) and blanks inside";
    return NULL;
}

const char *check_host(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr(".-:_%", *p) == NULL)
            return "must be a host name or an IP address";
    return strlen(value) <= 253 ? NULL : "must have at most 253 characters";
}

const char *check_listen(const char *value)
{
    const char *colon = strrchr(value, ':');
    uint64_t port;

    if (colon == NULL || colon == value || !scalar_number(colon + 1, &port) || port > 65535)
        return "must be an address and a port, such as 127.0.0.1:8090 or [::1]:8090";
    if (*value == '[' ? colon[-1] != ']' : memchr(value, ':', (size_t)(colon - value)) != NULL)
        return "must have an IPv6 address in brackets, such as [::1]:8090";
    return NULL;
}

const char *check_store(const char *value)
{
    return strcmp(value, "sqlite") == 0 ? NULL : "must be sqlite (this version has no other)";
}

const char *check_url(const char *value)
{
    if (strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0)
        return NULL;
    return "must begin with http:// or https://";
}

const char *check_url_path(const char *value)
{
    return *value == '/' && only(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789/-._~")
               ? NULL
               : "must be the path of a URL, such as /as2";
}

const char *check_formats(const char *value)
{
    for (const char *p = value; *p != '\0'; p++)
        if (strchr("FVUT", *p) == NULL || strchr(p + 1, *p) != NULL)
            return "must be letters of FVUT, each once";
    return NULL;
}

const struct template_name template_names[] = {
    { "document.id", "the number of the document in this runtime's store" },
    { "document.name", "the document's name: what the partner called it" },
    { "document.from", "who it is from: ODETTE ID of the originator, or AS2-From" },
    { "document.to", "who it is for: ODETTE ID of the destination, or AS2-To" },
    { "document.size", "octets of the opened document" },
    { "document.listener", "the name of the process that received it" },
    { "document.partner", "the name of the partner component, when the process names one" },
    { "document.received", "when it arrived: date and time, UTC" },
    { "oftp2.sfiddsn", "virtual file name (SFIDDSN)" },
    { "oftp2.sfiddate", "virtual file date, CCYYMMDD" },
    { "oftp2.sfidtime", "virtual file time, HHMMSScccc" },
    { "oftp2.sfidorig", "originator" },
    { "oftp2.sfiddest", "destination" },
    { "oftp2.sfidsec", "security level: 00 none, 01 encrypted, 02 signed, 03 both" },
    { "oftp2.sfidcomp", "compression: 0 none, 1 ZLIB" },
    { "oftp2.sfidciph", "cipher suite number" },
    { "oftp2.sfidenv", "envelope: 0 none, 1 CMS" },
    { "oftp2.sfidsign", "signed receipt asked for: Y or N" },
    { "oftp2.sfidosiz", "original size in units of 1024 octets" },
    { "oftp2.sfiddesc", "description" },
    { "oftp2.sfidfmt", "record format: F, V, U or T" },
    { "oftp2.sfidlrecl", "record length" },
    { "oftp2.sfiduser", "user data" },
    { "oftp2.initiator_ssidcode", "ODETTE ID of the side that called" },
    { "oftp2.responder_ssidcode", "ODETTE ID of the side that was called" },
    { "oftp2.nareas", "reason code of a refusal" },
    { "oftp2.nareast", "reason text of a refusal" },
    { "as2.message_id", "Message-ID, without its brackets" },
    { "as2.as2_from", "AS2-From" },
    { "as2.as2_to", "AS2-To" },
    { "as2.subject", "Subject" },
    { "as2.file_name", "file name that came with the message, made safe" },
    { "as2.mime_type", "media type of the document" },
    { "as2.mic", "MIC of the message, with its digest" },
    { "as2.disposition", "disposition of the MDN" },
    { "execution.id", "the number of this run of the process" },
    { "execution.redelivered", "true when this document may have been processed before" },
    { NULL, NULL },
};
