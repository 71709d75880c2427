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
        let mixture = try #require(moe[LoRAMoEMethod.self])
        #expect(mixture == LoRAMoEMethod(rank: 32, alpha: 32, experts: 4) && moe[LoRAMethod.self]?.rank == 32)
        #expect(mixture.routing.topK == 1 && mixture.routing.gate == .softmaxBeforeTopK)
        #expect(try JSONDecoder().decode(AdapterConfiguration.self, from: JSONEncoder().encode(moe)) == moe)
    }

    @Test func allFaultsAtOnce() {
        let configuration = AdapterConfiguration([
            AdapterRule(LoRAMethod(rank: 0, alpha: -1), targets: ["a", "a"]),
            AdapterRule(
                LoRAMoEMethod(rank: -3, alpha: .nan, experts: 2, routing: .init(topK: 5)), targets: ["", "/(/"]),
        ])
        #expect(
            configuration.faults == [
                "lora.rank: expected at least 1, found 0", "lora.alpha: expected a number above 0, found -1.0",
                "lora.targets: expected each pattern once, found 'a' twice", "moe.rank: expected at least 1, found -3",
                "moe.alpha: expected a number above 0, found nan",
                "moe.top_k: expected at most the number of experts, 2, found 5",
                "moe.targets: expected a pattern, found an empty text",
                "moe.targets: expected a valid regular expression between slashes, found '/(/'",
            ])
        #expect(throws: AdapterError.configuration(configuration.faults)) { try configuration.validate() }
        #expect(
            AdapterConfiguration(LoRAMoEMethod(experts: 0, routing: .init(topK: 0)), targets: ["x"]).faults == [
                "moe.experts: expected at least 1, found 0", "moe.top_k: expected at least 1, found 0",
            ])
        #expect(AdapterConfiguration([]).faults == ["targets: expected at least one pattern, found none"])
        // What no target uses is not looked at.
        let unused = AdapterRule(LoRAMoEMethod(experts: 0, routing: .init(topK: 9)), targets: [])
        #expect(AdapterConfiguration([AdapterRule(LoRAMethod(), targets: ["x"]), unused]).faults.isEmpty)
    }

    @Test func laterRulesGoFirst() throws {
        let (small, large) = (LoRAMethod(rank: 2), LoRAMethod(rank: 3))
        let configuration = AdapterConfiguration([
            AdapterRule(small, targets: ["*"]), AdapterRule(large, targets: ["blocks.1.*"]),
        ])
        let set = try AdapterSet(injecting: configuration, into: try TinyModel(), seed: 1)
        #expect(set.members.map { ($0.adapter as? LoRA)?.rank } == [2, 2, 2, 3, 3, 2])
        let coded = try JSONDecoder().decode(
            AdapterConfiguration.self,
            from: Data(#"{"rules":[{"method":"lora","settings":{"rank":2,"alpha":32},"targets":["*"]}]}"#.utf8))
        #expect(coded == AdapterConfiguration(small, targets: ["*"]))
        let unknown = #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(
                AdapterRule.self, from: Data(#"{"method":"lorra","settings":{},"targets":[]}"#.utf8))
        }
        #expect("\(try #require(unknown))".contains("found 'lorra'"))
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
            message(
                .init([.init(LoRAMethod(), targets: ["*"]), .init(LoRAMoEMethod(), targets: ["blocks.*.fff.net.2"])]))
                == "moe.targets: expected a pattern that matches a linear layer, found 'blocks.*.fff.net.2', which matches "
                + "none of 6 (did you mean 'blocks.0.ff.net.2'?)")
        // Blocks are no linear layers.
        #expect(
            message(.init(LoRAMethod(), targets: ["blocks.0"])).contains("found 'blocks.0', which matches none of 6"))
        #expect(
            message(.init(LoRAMoEMethod(routing: .init(input: .tokenAndPooledText)), targets: ["proj_out"]))
                == "routerInput: 'tokenAndPooledText' needs the width of the model's pooled text, and none was given")
        #expect(model.entrance.adapters.isEmpty)
    }
}
