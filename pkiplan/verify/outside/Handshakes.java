// Handshakes by Java: one line in, one line out. See worker.py for the lines. Both engines talk through memory.
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;

public class Handshakes {
    static final byte[] REQUEST = "pkiplan asks\n".getBytes(StandardCharsets.US_ASCII);
    static final byte[] ANSWER = "pkiplan answers\n".getBytes(StandardCharsets.US_ASCII);
    // A full handshake takes three flights; more rounds than this mean that both sides only wait.
    static final int MOST_ROUNDS = 60;

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            out.println("= " + answer(fields(line)));
        }
    }

    static Map<String, String> fields(String line) {
        Map<String, String> found = new HashMap<>();
        for (String word : line.trim().split(" ")) {
            int at = word.indexOf('=');
            byte[] value = Base64.getDecoder().decode(word.substring(at + 1));
            found.put(word.substring(0, at), new String(value, StandardCharsets.UTF_8));
        }
        return found;
    }

    static String answer(Map<String, String> asked) {
        Side client = new Side("client");
        Side server = new Side("server");
        try {
            server.begin(asked);
            client.begin(asked);
            return converse(client, server) ? "accepted" : refused("", "the handshake came to no end");
        } catch (SideException error) {
            return refused(error.side, why(error.getCause()));
        }
    }

    static String refused(String side, String text) {
        String words = Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
        return "refused " + (side.isEmpty() ? "-" : side) + " " + words;
    }

    static String why(Throwable error) {
        List<String> words = new ArrayList<>();
        for (Throwable at = error; at != null && words.size() < 12; at = at.getCause()) {
            // Each exception repeats what is told by the one beneath it.
            String message = String.valueOf(at.getMessage());
            if (!String.join("; ", words).contains(message)) {
                words.add(at.getClass().getSimpleName() + ": " + message);
            }
        }
        return String.join("; ", words);
    }

    static boolean converse(Side client, Side server) throws SideException {
        boolean asked = false;
        boolean answered = false;
        for (int round = 0; round < MOST_ROUNDS; round++) {
            client.move(server);
            server.move(client);
            if (!asked && client.isDone() && server.isDone()) {
                client.send(REQUEST, server);
                asked = true;
            }
            if (asked && !answered && java.util.Arrays.equals(server.heard(), REQUEST)) {
                server.send(ANSWER, client);
                answered = true;
            }
            if (answered && java.util.Arrays.equals(client.heard(), ANSWER)) {
                return true;
            }
        }
        return false;
    }

    static class SideException extends Exception {
        final String side;

        SideException(String side, Throwable cause) {
            super(cause);
            this.side = side;
        }
    }

    /** One side: an engine, the bytes that wait for it, and what it was told. */
    static class Side {
        final String name;
        SSLEngine engine;
        ByteBuffer incoming = ByteBuffer.allocate(1 << 18);
        ByteBuffer plain = ByteBuffer.allocate(1 << 16);

        Side(String name) {
            this.name = name;
        }

        boolean isDone() {
            SSLEngineResult.HandshakeStatus status = engine.getHandshakeStatus();
            return status == SSLEngineResult.HandshakeStatus.NOT_HANDSHAKING && engine.getSession().getProtocol() != null
                && !engine.getSession().getCipherSuite().equals("SSL_NULL_WITH_NULL_NULL");
        }

        byte[] heard() {
            byte[] found = new byte[plain.position()];
            plain.duplicate().flip().get(found);
            return found;
        }

        void begin(Map<String, String> asked) throws SideException {
            try {
                boolean isClient = name.equals("client");
                SSLContext context = SSLContext.getInstance("TLS");
                String chain = asked.get(name + "_chain");
                KeyManager[] keys = chain == null ? new KeyManager[0]
                    : new KeyManager[] {oneKey(certificates(chain), asked.get(name + "_key"))};
                String trusts = asked.get(name + "_trusts");
                Date time = new Date(Long.parseLong(asked.get("time")) * 1000);
                TrustManager[] trust = trusts == null ? new TrustManager[0] : trustIn(certificates(trusts), time);
                context.init(keys, trust, null);
                String host = asked.get("host");
                engine = isClient && host != null ? context.createSSLEngine(host, 443) : context.createSSLEngine();
                engine.setUseClientMode(isClient);
                engine.setEnabledProtocols(new String[] {"TLSv" + asked.get("version")});
                SSLParameters parameters = engine.getSSLParameters();
                if (isClient && host != null) {
                    parameters.setEndpointIdentificationAlgorithm("HTTPS");
                    if (!asked.containsKey("is_address")) {
                        parameters.setServerNames(List.of(new SNIHostName(host)));
                    }
                }
                if (!isClient) {
                    parameters.setNeedClientAuth(trusts != null);
                }
                engine.setSSLParameters(parameters);
                engine.beginHandshake();
            } catch (Exception error) {
                throw new SideException(name, new Exception("cannot begin", error));
            }
        }

        void send(byte[] data, Side other) throws SideException {
            wrap(ByteBuffer.wrap(data), other);
        }

        /** Do what the engine asks for until it waits for the other side. */
        void move(Side other) throws SideException {
            for (int step = 0; step < MOST_ROUNDS; step++) {
                switch (engine.getHandshakeStatus()) {
                    case NEED_TASK -> {
                        for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
                            task.run();
                        }
                    }
                    case NEED_WRAP -> wrap(ByteBuffer.allocate(0), other);
                    default -> {
                        if (incoming.position() == 0 || !unwrap()) {
                            return;
                        }
                    }
                }
            }
        }

        void wrap(ByteBuffer data, Side other) throws SideException {
            try {
                ByteBuffer out = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
                engine.wrap(data, out);
                out.flip();
                other.incoming.put(out);
            } catch (Exception error) {
                throw new SideException(name, error);
            }
        }

        boolean unwrap() throws SideException {
            try {
                incoming.flip();
                SSLEngineResult result = engine.unwrap(incoming, plain);
                return result.bytesConsumed() > 0 && result.getStatus() == SSLEngineResult.Status.OK;
            } catch (Exception error) {
                throw new SideException(name, error);
            } finally {
                incoming.compact();
            }
        }
    }

    static X509Certificate[] certificates(String pem) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        return factory.generateCertificates(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)))
            .toArray(new X509Certificate[0]);
    }

    /** Make sure that key and certificate are a pair: Java itself would only sign, and let the other side find out. */
    static OneKey oneKey(X509Certificate[] chain, String pem) throws Exception {
        PrivateKey key = key(pem, chain);
        String kind = chain[0].getPublicKey().getAlgorithm();
        Signature signature = Signature.getInstance(
            kind.equals("RSA") ? "SHA256withRSA" : kind.equals("EC") ? "SHA256withECDSA" : "EdDSA");
        signature.initSign(key);
        signature.update(REQUEST);
        byte[] signed = signature.sign();
        signature.initVerify(chain[0].getPublicKey());
        signature.update(REQUEST);
        boolean isPair;
        try {
            isPair = signature.verify(signed);
        } catch (SignatureException error) {
            isPair = false;
        }
        if (!isPair) {
            throw new IllegalArgumentException("key values mismatch");
        }
        return new OneKey(chain, key);
    }

    static PrivateKey key(String pem, X509Certificate[] chain) throws Exception {
        String body = pem.replaceAll("-----[A-Z ]+-----", "").replaceAll("\\s", "");
        String algorithm = chain[0].getPublicKey().getAlgorithm();
        KeyFactory factory = KeyFactory.getInstance(algorithm);
        return factory.generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(body)));
    }

    static TrustManager[] trustIn(X509Certificate[] anchors, Date time) throws Exception {
        Set<TrustAnchor> trusted = new HashSet<>();
        for (X509Certificate anchor : anchors) {
            trusted.add(new TrustAnchor(anchor, null));
        }
        PKIXBuilderParameters parameters = new PKIXBuilderParameters(trusted, new X509CertSelector());
        parameters.setRevocationEnabled(false);
        parameters.setDate(time);
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(new CertPathTrustManagerParameters(parameters));
        return factory.getTrustManagers();
    }

    /** Presents its certificate whatever the other side would accept: to be refused is the point of a control. */
    static class OneKey extends X509ExtendedKeyManager {
        final X509Certificate[] chain;
        final PrivateKey key;

        OneKey(X509Certificate[] chain, PrivateKey key) {
            this.chain = chain;
            this.key = key;
        }

        String name(String... types) {
            for (String type : types) {
                if (type.equals(key.getAlgorithm()) || type.startsWith(key.getAlgorithm() + "_")) {
                    return "it";
                }
            }
            return null;
        }

        @Override
        public String[] getClientAliases(String type, Principal[] issuers) {
            return new String[] {"it"};
        }

        @Override
        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
            return name(types);
        }

        @Override
        public String chooseEngineClientAlias(String[] types, Principal[] issuers, SSLEngine engine) {
            return name(types);
        }

        @Override
        public String[] getServerAliases(String type, Principal[] issuers) {
            return new String[] {"it"};
        }

        @Override
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            return name(type);
        }

        @Override
        public String chooseEngineServerAlias(String type, Principal[] issuers, SSLEngine engine) {
            return name(type);
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            return chain;
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return key;
        }
    }
}
