import Foundation
import Testing
import Training

/// The commented configurations of `diptych config --template`.
@Suite struct ConfigurationTemplateTests {
    @Test(arguments: ConfigurationTemplate.allCases)
    func aTemplateIsItsConfiguration(template: ConfigurationTemplate) throws {
        #expect(try RunConfiguration.parse(template.yaml) == template.configuration)
        #expect(template.yaml.contains("# \(template.summary)\n"))
        #expect(template.yaml.contains("diptych config --template \(template.rawValue) "))
        for line in template.yaml.split(separator: "\n") where line.drop(while: { $0 == " " }).hasPrefix("# ") {
            #expect(line.count <= 110, "\(line)")
        }
    }

    /// No key can be forgotten: with every `#` before a key taken away, each stands once, documented, with its default.
    @Test(arguments: ConfigurationTemplate.allCases)
    func everyKeyStandsInIt(template: ConfigurationTemplate) throws {
        let lines = template.yaml.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let whole = lines.map { line in
            let text = line.drop { $0 == " " }
            let isKey = text.firstMatch(of: /^#[a-z]/) != nil
            return isKey ? line.replacing("#", with: "", maxReplacements: 1) : line
        }
        var expected = template.configuration
        if expected.adapter.moe == nil { expected.adapter.moe = RunConfiguration.MoE() }
        expected.adapter.dora = RunConfiguration.DoRA()
        expected.adapter.lokr = RunConfiguration.LoKr()
        #expect(try RunConfiguration.parse(whole.joined(separator: "\n")) == expected)
        let names = whole.filter { !$0.drop { $0 == " " }.hasPrefix("#") && $0.contains(":") && !$0.hasSuffix(":") }
            .map { $0.drop { $0 == " " }.prefix { $0 != ":" } }
        let keys = RunConfiguration.documentedKeys
        #expect(names.map(String.init) == keys.map { $0.key.split(separator: ".").last.map(String.init) ?? "" })
        let text = lines.map { $0.drop { $0 == " " || $0 == "#" } }.joined(separator: " ")
        for key in keys { #expect(text.contains(key.summary), "\(key.key)") }
    }
}
