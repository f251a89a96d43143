import java.io.OutputStream;
import java.lang.reflect.Field;
import java.util.List;
import java.util.Map;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.http.AbstractHttpServerTransport;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;

/**
 * Runs one Elasticsearch node until standard input ends. Arguments: the home folder (which holds
 * modules/), the folder for data and logs. The HTTP address is written to logs/http.ports.
 */
class ElasticsearchServer {
  public static void main(String[] args) throws Exception {
    Settings settings =
        Settings.builder()
            .put("path.home", args[0])
            .put("path.data", args[1] + "/data")
            .put("path.logs", args[1] + "/logs")
            .put("cluster.name", "steptap")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", "0")
            .put("transport.port", "0")
            .put("node.portsfile", true)
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
    LogConfigurator.configureESLogging();
    LogConfigurator.configureWithoutConfig(Settings.builder().put("logger.level", "WARN").build());
    Node node =
        new Node(
            InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "node-1"));
    // The controller is reachable only as the (protected) dispatcher of the HTTP transport.
    Field dispatcher = AbstractHttpServerTransport.class.getDeclaredField("dispatcher");
    dispatcher.setAccessible(true);
    ((RestController) dispatcher.get(node.injector().getInstance(HttpServerTransport.class)))
        .registerHandler(new Root(node.injector().getInstance(ClusterService.class)));
    node.start();
    System.in.transferTo(OutputStream.nullOutputStream());
    Runtime.getRuntime().halt(0);
  }

  /** GET and HEAD of "/": in Elasticsearch 8 a module of its own, which is not published as a jar. */
  record Root(ClusterService cluster) implements RestHandler {
    @Override
    public List<Route> routes() {
      return List.of(
          new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
    }

    @Override
    public void handleRequest(RestRequest request, RestChannel channel, NodeClient client)
        throws Exception {
      Build build = Build.current();
      channel.sendResponse(
          new RestResponse(
              RestStatus.OK,
              channel
                  .newBuilder()
                  .startObject()
                  .field("name", cluster.getNodeName())
                  .field("cluster_name", cluster.getClusterName().value())
                  .field("cluster_uuid", cluster.state().metadata().clusterUUID())
                  .startObject("version")
                  .field("number", build.qualifiedVersion())
                  .field("build_flavor", "default")
                  .field("build_snapshot", build.isSnapshot())
                  .field("minimum_wire_compatibility_version", build.minWireCompatVersion())
                  .field("minimum_index_compatibility_version", build.minIndexCompatVersion())
                  .endObject()
                  .field("tagline", "You Know, for Search")
                  .endObject()));
    }
  }
}
