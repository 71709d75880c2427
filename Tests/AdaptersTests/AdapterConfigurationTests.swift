import Adapters
import Foundation
import NeuralNet
import TensorIO
import Testing

@Suite struct AdapterConfigurationTests {
    @Test func defaultsAreSound() throws {
        try AdapterConfiguration.iceditMoE.validate()
        try AdapterConfiguration.iceditLoRA.validate()
        let moe = AdapterConfiguration.iceditMoE
        #expect(moe.experts == 4 && moe.topK == 1 && moe.moeRank == 32 && moe.moeAlpha == 32 && moe.loraRank == 32)
        #expect(moe.gate == .softmaxBeforeTopK)
        #expect(try JSONDecoder().decode(AdapterConfiguration.self, from: JSONEncoder().encode(moe)) == moe)
    }

    @Test func allFaultsAtOnce() {
        let configuration = AdapterConfiguration(
            loraRank: 0, loraAlpha: -1, loraTargets: ["a", "a"], moeRank: -3, moeAlpha: .nan, experts: 2, topK: 5,
            moeTargets: ["", "/(/"])
        #expect(
            configuration.faults == [
                "loraRank: expected at least 1, found 0", "loraAlpha: expected a number above 0, found -1.0",
                "loraTargets: expected each pattern once, found 'a' twice", "moeRank: expected at least 1, found -3",
                "moeAlpha: expected a number above 0, found nan",
                "moeTargets: expected a pattern, found an empty text",
                "moeTargets: expected a valid regular expression between slashes, found '/(/'",
                "topK: expected at most the number of experts, 2, found 5",
            ])
        #expect(throws: AdapterError.configuration(configuration.faults)) { try configuration.validate() }
        #expect(
            AdapterConfiguration(experts: 0, topK: 0, moeTargets: ["x"]).faults == [
                "experts: expected at least 1, found 0", "topK: expected at least 1, found 0",
            ])
        #expect(
            AdapterConfiguration().faults == [
                "loraTargets and moeTargets: expected at least one pattern, found none"
            ])
        // What no target uses is not looked at.
        #expect(AdapterConfiguration(loraTargets: ["x"], experts: 0, topK: 9).faults.isEmpty)
    }

    @Test func patterns() throws {
        let names = [
            "x_embedder", "blocks.0.attn.to_q", "blocks.10.attn.to_q", "single_blocks.0.attn.to_q", "proj_out",
        ]
        func matches(_ pattern: String) throws -> [Int] {
            try LayerPattern(pattern).matches(in: names).map { names.firstIndex(of: $0)! }
        }
        #expect(try matches("x_embedder") == [0])
        #expect(try matches("embedder") == [])
        #expect(try matches("blocks.*.attn.to_q") == [1, 2])
        #expect(try matches("*.attn.to_q") == [1, 2, 3])
        #expect(try matches("*blocks.0*") == [1, 3])
        #expect(try matches("*") == [0, 1, 2, 3, 4])
        #expect(try matches("**o*o*") == [0, 1, 2, 3, 4].filter { names[$0].filter { $0 == "o" }.count >= 2 })
        #expect(try matches("blocks.0.attn.to_q*blocks.0.attn.to_q") == [])
        #expect(try matches("/blocks\\.\\d\\.attn\\.to_[qkv]/") == [1])
        #expect(try matches("/.*out/") == [4])
        #expect(throws: LayerPattern.Malformed.self) { try LayerPattern("/[/") }
    }

    @Test func patternsThatMatchNothing() throws {
        let model = try TinyModel()
        func message(_ configuration: AdapterConfiguration) -> String {
            let error = #expect(throws: AdapterError.self) {
                try AdapterSet(injecting: configuration, into: model, seed: 1)
            }
            return error?.description ?? ""
        }
        #expect(
            message(.init(loraTargets: ["*"], moeTargets: ["blocks.*.fff.net.2"]))
                == "moeTargets: expected a pattern that matches a linear layer, found 'blocks.*.fff.net.2', which matches "
                + "none of 6 (did you mean 'blocks.0.ff.net.2'?)")
        // Blocks are no linear layers.
        #expect(message(.init(loraTargets: ["blocks.0"])).contains("found 'blocks.0', which matches none of 6"))
        #expect(
            message(.init(loraTargets: ["*"], moeTargets: ["proj_out"], routerInput: .tokenAndPooledText))
                == "routerInput: 'tokenAndPooledText' needs the width of the model's pooled text, and none was given")
        #expect(model.entrance.adapters.isEmpty)
    }
}
