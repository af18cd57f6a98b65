package com.linkedin.kafka.cruisecontrol.metricsreporter;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.metrics.KafkaMetric;
import org.apache.kafka.common.metrics.MetricsReporter;

/**
 * A stand-in for the metrics reporter of Cruise Control, for tests: it reports nothing. It has the reporter's name, and does
 * not let a broker start without the configuration that the reporter needs there.
 */
public class CruiseControlMetricsReporter implements MetricsReporter {
  private static final String PREFIX = "cruise.control.metrics.reporter.";

  @Override
  public void configure(Map<String, ?> configs) {
    require(configs, "bootstrap.servers");
    if ("SSL".equals(require(configs, "security.protocol"))) {
      requireFile(configs, "ssl.keystore.location");
      requireFile(configs, "ssl.truststore.location");
    }
    System.out.println("A stand-in for the metrics reporter of Cruise Control is loaded: nothing is reported");
  }

  private static String require(Map<String, ?> configs, String name) {
    Object value = configs.get(PREFIX + name);
    if (value == null || value.toString().isEmpty()) {
      throw new ConfigException("the metrics reporter of Cruise Control needs " + PREFIX + name);
    }
    return value.toString();
  }

  private static void requireFile(Map<String, ?> configs, String name) {
    Path file = Path.of(require(configs, name));
    if (!Files.isReadable(file)) {
      throw new ConfigException("the metrics reporter of Cruise Control cannot read " + file + " of " + PREFIX + name);
    }
  }

  @Override
  public void init(List<KafkaMetric> metrics) {
  }

  @Override
  public void metricChange(KafkaMetric metric) {
  }

  @Override
  public void metricRemoval(KafkaMetric metric) {
  }

  @Override
  public void close() {
  }
}
