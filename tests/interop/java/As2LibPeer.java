import com.helger.as2lib.cert.PredefinedCertificateFactory;
import com.helger.as2lib.client.AS2Client;
import com.helger.as2lib.client.AS2ClientRequest;
import com.helger.as2lib.client.AS2ClientResponse;
import com.helger.as2lib.client.AS2ClientSettings;
import com.helger.as2lib.crypto.ECompressionType;
import com.helger.as2lib.crypto.ECryptoAlgorithmCrypt;
import com.helger.as2lib.crypto.ECryptoAlgorithmSign;
import com.helger.as2lib.crypto.IMICMatchingHandler;
import com.helger.as2lib.disposition.DispositionOptions;
import com.helger.as2lib.exception.AS2Exception;
import com.helger.as2lib.message.AS2Message;
import com.helger.as2lib.message.IMessage;
import com.helger.as2lib.partner.AbstractPartnershipFactory;
import com.helger.as2lib.partner.Partnership;
import com.helger.as2lib.processor.DefaultMessageProcessor;
import com.helger.as2lib.processor.module.AbstractProcessorModule;
import com.helger.as2lib.processor.receiver.AS2MDNReceiverModule;
import com.helger.as2lib.processor.receiver.AS2ReceiverModule;
import com.helger.as2lib.processor.receiver.AbstractActiveNetModule;
import com.helger.as2lib.processor.receiver.net.AS2MDNReceiverHandler;
import com.helger.as2lib.processor.sender.AsynchMDNSenderModule;
import com.helger.as2lib.processor.storage.IProcessorStorageModule;
import com.helger.as2lib.session.AS2Session;
import com.helger.commons.collection.attr.StringMap;
import com.helger.mail.cte.EContentTransferEncoding;
import com.helger.security.keystore.EKeyStoreType;
import jakarta.activation.DataHandler;
import jakarta.mail.internet.ContentDisposition;
import jakarta.mail.internet.MimeUtility;
import jakarta.mail.util.ByteArrayDataSource;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** as2-lib as a partner of the gateway: its client, its socket receivers for messages and MDNs.
 * Orders come as JSON lines on standard input, answers go to standard output: run.py has the words.
 *
 * As2LibPeer KEY_AND_CERTIFICATE OUR_CERTIFICATE DIRECTORY */
public final class As2LibPeer {
    private static final long WAIT_MS = 10_000;
    private static final char[] NONE = new char[0];
    private static final PrintStream OUT = System.out;
    private static final Object LOCK = new Object();
    private static final List<String> received = new ArrayList<>();
    private static final Map<String, String> mdns = new HashMap<>();
    private static volatile Map<String, String> agreed = Map.of();
    private static int number;
    private static Path directory;
    private static KeyStore keys;
    private static AS2Session session;
    private static String mdnUrl;
    private static X509Certificate theirs;

    private As2LibPeer() {}

    // ---- JSON: flat objects of strings, booleans and null are all there is to read ----

    private static final Pattern FIELD = Pattern.compile(
        "\"(\\w+)\": (?:\"((?:[^\"\\\\]|\\\\.)*)\"|(true|false|null|[0-9.]+))");

    private static Map<String, String> read(String line) {
        Map<String, String> out = new HashMap<>();
        Matcher m = FIELD.matcher(line);
        while (m.find())
            out.put(m.group(1), m.group(2) != null ? plain(m.group(2))
                    : "null".equals(m.group(3)) ? null : m.group(3));
        return out;
    }

    private static String plain(String s) {
        StringBuilder b = new StringBuilder();
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c != '\\') {
                b.append(c);
            } else if (s.charAt(++i) == 'u') {
                b.append((char)Integer.parseInt(s.substring(i + 1, i + 5), 16));
                i += 4;
            } else {
                b.append(s.charAt(i));
            }
        }
        return b.toString();
    }

    private static String quoted(Object o) {
        if (o == null || o instanceof Boolean || o instanceof Number)
            return String.valueOf(o);
        StringBuilder b = new StringBuilder("\"");
        for (char c : o.toString().toCharArray())
            b.append(c < ' ' || c > '~' || c == '"' || c == '\\' ? String.format("\\u%04x", (int)c)
                                                                : String.valueOf(c));
        return b.append('"').toString();
    }

    /** Names and values by turns; a value that begins with { or [ is JSON already. */
    private static String object(Object... o) {
        StringBuilder b = new StringBuilder("{");
        for (int i = 0; i < o.length; i += 2) {
            String v = o[i + 1] instanceof StringBuilder ? o[i + 1].toString() : quoted(o[i + 1]);
            b.append(i > 0 ? ", " : "").append(quoted(o[i])).append(": ").append(v);
        }
        return b.append('}').toString();
    }

    private static StringBuilder raw(String json) {
        return new StringBuilder(json);
    }

    private static void say(String json) {
        OUT.println(json);
        OUT.flush();
    }

    // ---- keys ----

    private static byte[] pem(String text, String kind) {
        Matcher m = Pattern.compile("-----BEGIN " + kind + "-----([^-]*)-----END").matcher(text);
        if (!m.find())
            throw new IllegalArgumentException("no " + kind);
        return Base64.getMimeDecoder().decode(m.group(1));
    }

    private static void loadKeys(Path pair, Path ours) throws Exception {
        CertificateFactory x509 = CertificateFactory.getInstance("X.509");
        String text = Files.readString(pair);
        PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(
            new PKCS8EncodedKeySpec(pem(text, "PRIVATE KEY")));
        Certificate own = x509.generateCertificate(
            new ByteArrayInputStream(pem(text, "CERTIFICATE")));
        theirs = (X509Certificate)x509.generateCertificate(Files.newInputStream(ours));
        keys = KeyStore.getInstance("PKCS12");
        keys.load(null, NONE);
        keys.setKeyEntry("PEER", key, NONE, new Certificate[] {own});
        keys.setCertificateEntry("WAYBILL", theirs);
    }

    // ---- receiving ----

    private static final class Store extends AbstractProcessorModule {
        @Override
        public boolean canHandle(String action, IMessage m, Map<String, Object> options) {
            return IProcessorStorageModule.DO_STORE.equals(action);
        }

        @Override
        public void handle(String action, IMessage m, Map<String, Object> options)
            throws AS2Exception {
            try {
                keep(m);
            } catch (Exception e) {
                throw new AS2Exception("store", e);
            }
        }
    }

    private static void keep(IMessage m) throws Exception {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        try (InputStream in = m.getData().getInputStream()) {
            in.transferTo(content);
        }
        String name = m.getData().getFileName();
        if (name == null && m.getContentDisposition() != null)
            name = new ContentDisposition(m.getContentDisposition()).getParameter("filename");
        synchronized (LOCK) {
            Path file = directory.resolve("received-" + ++number);
            Files.write(file, content.toByteArray());
            received.add(object(
                "file", file, "name", name == null ? null : MimeUtility.decodeText(name), "error",
                null, "signed", m.attrs().containsKey(AS2Message.ATTRIBUTE_RECEIVED_SIGNED),
                "encrypted", m.attrs().containsKey(AS2Message.ATTRIBUTE_RECEIVED_ENCRYPTED),
                "compressed", m.attrs().containsKey(AS2Message.ATTRIBUTE_RECEIVED_COMPRESSED)));
            LOCK.notifyAll();
        }
    }

    private static final class Receiver extends AS2ReceiverModule {
        @Override
        public void handleError(IMessage m, AS2Exception e) {
            synchronized (LOCK) {
                received.add(object("file", "", "error", e.toString()));
                LOCK.notifyAll();
            }
        }
    }

    private static final class MdnReceiver extends AS2MDNReceiverModule {
        @Override
        public AS2MDNReceiverHandler createHandler() {
            AS2MDNReceiverHandler h = new AS2MDNReceiverHandler(this);
            h.setIncomingMDNCallback((sync, mdn, from, to, disposition, mic, id, signed, fits) -> {
                synchronized (LOCK) {
                    mdns.put(id, mdn(disposition, mic == null ? null : (Boolean)fits,
                                     signed, signed));
                    LOCK.notifyAll();
                }
            });
            return h;
        }

        @Override
        public void handleError(IMessage m, AS2Exception e) {
            System.err.println("MDN: " + e);
        }
    }

    private static String mdn(String disposition, Boolean mic, boolean signed, boolean verified) {
        String[] halves = String.valueOf(disposition).split(";");
        return object("disposition", halves[halves.length - 1].trim(), "mic", mic, "signed",
                      signed, "verified", verified);
    }

    private static int freePort() throws IOException {
        try (ServerSocket s = new ServerSocket(0)) {
            return s.getLocalPort();
        }
    }

    /** Knows each direction; certificates are found by AS2 ID. The library's own factories do not
     * find what they know for an asynchronous MDN, which comes with aliases that are null. */
    private static final class Partnerships extends AbstractPartnershipFactory {
        @Override
        public Partnership getPartnership(Partnership wanted) {
            String from = wanted.getSenderAS2ID(), to = wanted.getReceiverAS2ID();
            Partnership p = new Partnership(from + "-" + to);
            p.setSenderAS2ID(from);
            p.setReceiverAS2ID(to);
            p.setSenderX509Alias(from);
            p.setReceiverX509Alias(to);
            // What was agreed says whether headers count for the MIC.
            if ("true".equals(agreed.get("signed")))
                p.setSigningAlgorithm(DIGESTS.get(agreed.get("digest")));
            if ("true".equals(agreed.get("encrypted")))
                p.setEncryptAlgorithm(ECryptoAlgorithmCrypt.CRYPT_AES256_CBC);
            if ("true".equals(agreed.get("compressed")))
                p.setCompressionType(ECompressionType.ZLIB);
            return p;
        }
    }

    private static AS2Session newSession() throws Exception {
        AS2Session s = new AS2Session();
        StringMap type = new StringMap();
        type.putIn("type", "pkcs12");
        type.putIn("password", "");
        PredefinedCertificateFactory certificates = new PredefinedCertificateFactory(keys);
        certificates.initDynamicComponent(s, type);
        s.setCertificateFactory(certificates);
        Partnerships partnerships = new Partnerships();
        partnerships.initDynamicComponent(s, new StringMap());
        s.setPartnershipFactory(partnerships);
        DefaultMessageProcessor processor = new DefaultMessageProcessor();
        processor.initDynamicComponent(s, new StringMap());
        processor.setPendingMDNFolder(directory.resolve("pending").toString());
        processor.setPendingMDNInfoFolder(directory.resolve("pendinginfo").toString());
        s.setMessageProcessor(processor);
        return s;
    }

    private static int listen(AbstractActiveNetModule module) throws Exception {
        int port = freePort();
        StringMap where = new StringMap();
        where.putIn("address", "127.0.0.1");
        where.putIn("port", Integer.toString(port));
        module.initDynamicComponent(session, where);
        session.getMessageProcessor().addModule(module);
        return port;
    }

    // ---- sending ----

    private static final Map<String, ECryptoAlgorithmSign> DIGESTS = Map.of(
        "sha1", ECryptoAlgorithmSign.DIGEST_SHA_1, "sha256", ECryptoAlgorithmSign.DIGEST_SHA_256,
        "sha384", ECryptoAlgorithmSign.DIGEST_SHA_384, "sha512",
        ECryptoAlgorithmSign.DIGEST_SHA_512);
    private static final Map<String, ECryptoAlgorithmCrypt> CIPHERS = Map.of(
        "3des", ECryptoAlgorithmCrypt.CRYPT_3DES, "aes128",
        ECryptoAlgorithmCrypt.CRYPT_AES128_CBC, "aes192", ECryptoAlgorithmCrypt.CRYPT_AES192_CBC,
        "aes256", ECryptoAlgorithmCrypt.CRYPT_AES256_CBC);

    /** The client with a session of ours, so that asynchronous MDNs find what was sent. */
    private static final class Client extends AS2Client {
        @Override
        protected AS2Session createSession() {
            try {
                return newSession();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        protected void initCertificateFactory(AS2ClientSettings s, AS2Session session) {}

        @Override
        protected void initPartnershipFactory(AS2Session session) {}

        @Override
        protected void initMessageProcessor(AS2Session session) {}
    }

    private static final class Mics implements IMICMatchingHandler {
        Boolean fits;

        @Override
        public void onMICMatch(IMessage m, String mic) {
            fits = true;
        }

        @Override
        public void onMICMismatch(IMessage m, String sent, String got) {
            fits = got == null ? null : Boolean.FALSE;
            System.err.println("MIC sent " + sent + ", got " + got);
        }
    }

    private static AS2ClientSettings settings(Map<String, String> o, Mics mics) throws Exception {
        AS2ClientSettings s = new AS2ClientSettings();
        s.setKeyStore(EKeyStoreType.PKCS12, new byte[0], "");
        s.setSenderData("PEER", "peer@peer.example", "PEER");
        s.setReceiverData("WAYBILL", "WAYBILL", o.get("url"));
        s.setReceiverCertificate(theirs);
        s.setPartnershipName("PEER-WAYBILL");
        s.setMessageIDFormat("$date.uuuuMMddHHmmssZ$-$rand.UUID$@peer.example");
        s.setEncryptAndSign(o.get("encrypt") == null ? null : CIPHERS.get(o.get("encrypt")),
                            o.get("sign") == null ? null : DIGESTS.get(o.get("sign")));
        if (o.get("compress") != null)
            s.setCompress(ECompressionType.ZLIB, "before".equals(o.get("compress")));
        s.setMICMatchingHandler(mics);
        s.setMDNRequested(!"none".equals(o.get("mdn")));
        if ("unsigned".equals(o.get("mdn"))) {
            s.setMDNOptions((String)null);
        } else if (!"none".equals(o.get("mdn"))) {
            String digest = o.get("sign") == null ? "sha256" : o.get("sign");
            s.setMDNOptions(new DispositionOptions()
                                .setMICAlg(DIGESTS.get(digest))
                                .setMICAlgImportance("required")
                                .setProtocol("pkcs7-signature")
                                .setProtocolImportance("required"));
        }
        s.setAsyncMDNUrl("async".equals(o.get("mdn")) ? mdnUrl : null);
        return s;
    }

    private static String send(Map<String, String> o) throws Exception {
        Mics mics = new Mics();
        AS2ClientSettings s = settings(o, mics);
        AS2ClientRequest r = new AS2ClientRequest("interop");
        r.setData(new DataHandler(
            new ByteArrayDataSource(Files.readAllBytes(Path.of(o.get("file"))), o.get("type"))));
        r.setContentType(o.get("type"));
        r.setFilename(o.get("name"));
        r.setContentTransferEncoding("true".equals(o.get("base64"))
                                         ? EContentTransferEncoding.BASE64
                                         : EContentTransferEncoding.BINARY);
        AS2ClientResponse answer = new Client().sendSynchronous(s, r);
        String id = answer.getOriginalMessageID();
        StringBuilder got = raw("null");
        if (answer.hasException())
            return object("error", answer.getException().toString());
        if ("async".equals(o.get("mdn"))) {
            await(() -> mdns.containsKey(id));
            synchronized (LOCK) {
                got = raw(String.valueOf(mdns.get(id)));
            }
        } else if (answer.hasMDN()) {
            boolean signed = answer.getMDN().attrs().getAsBoolean(
                AS2Message.ATTRIBUTE_RECEIVED_SIGNED, false);
            X509Certificate by = answer.getMDNVerificationCertificate();
            got = raw(mdn(answer.getMDNDisposition(), mics.fits, signed, theirs.equals(by)));
        }
        return object("status", 200, "message_id", id, "mdn", got);
    }

    // ---- orders ----

    private interface Check {
        boolean there();
    }

    private static void await(Check check) throws InterruptedException {
        long end = System.currentTimeMillis() + WAIT_MS;
        synchronized (LOCK) {
            while (!check.there() && System.currentTimeMillis() < end)
                LOCK.wait(100);
        }
    }

    private static String take() throws Exception {
        await(() -> !received.isEmpty());
        synchronized (LOCK) {
            String all = "[" + String.join(", ", received) + "]";
            received.clear();
            return object("received", raw(all));
        }
    }

    private static String carryOut(Map<String, String> o) throws Exception {
        switch (o.get("op")) {
        case "send":
            return send(o);
        case "take":
            return take();
        case "expect":
            agreed = o;
            return "{}";
        default:
            return "{}";
        }
    }

    public static void main(String[] args) throws Exception {
        directory = Path.of(args[2]);
        Files.createDirectories(directory.resolve("pending"));
        Files.createDirectories(directory.resolve("pendinginfo"));
        loadKeys(Path.of(args[0]), Path.of(args[1]));
        session = newSession();
        int port = listen(new Receiver()), mdnPort = listen(new MdnReceiver());
        for (AbstractProcessorModule m :
             List.of(new Store(), new AsynchMDNSenderModule())) {
            m.initDynamicComponent(session, new StringMap());
            session.getMessageProcessor().addModule(m);
        }
        session.getMessageProcessor().startActiveModules();
        mdnUrl = "http://127.0.0.1:" + mdnPort + "/mdn";
        say(object("ready", true, "url", "http://127.0.0.1:" + port + "/as2", "mdn_url", mdnUrl));
        BufferedReader in = new BufferedReader(
            new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                say(carryOut(read(line)));
            } catch (Exception e) {
                e.printStackTrace();
                say(object("error", e.toString()));
            }
        }
        System.exit(0);
    }
}
