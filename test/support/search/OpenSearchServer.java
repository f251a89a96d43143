import org.codelibs.opensearch.runner.OpenSearchRunner;

/**
 * Runs one OpenSearch node until standard input ends. Arguments: the home folder (not used), the
 * folder for data and logs. The HTTP address is written to logs/http.ports.
 */
class OpenSearchServer {
  public static void main(String[] args) throws Exception {
    OpenSearchRunner runner = new OpenSearchRunner();
    runner.setMaxHttpPort(-1);
    runner.onBuild(
        (number, settings) ->
            settings
                .put("path.data", args[1] + "/data")
                .put("path.logs", args[1] + "/logs")
                .put("discovery.type", "single-node")
                .put("network.host", "127.0.0.1")
                .put("http.port", "0")
                .put("transport.port", "0")
                .put("node.portsfile", true)
                .put("cluster.routing.allocation.disk.threshold_enabled", false));
    runner.build(
        "-basePath", args[1], "-numOfNode", "1", "-clusterName", "steptap", "-disableESLogger");
    System.in.transferTo(java.io.OutputStream.nullOutputStream());
    Runtime.getRuntime().halt(0);
  }
}
